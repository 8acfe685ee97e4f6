from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom import Email, InvalidEmail
from postroom.addresses import Address, parse_address
from postroom.email import MAX_CONTENT_BYTES
from postroom.encoded_words import decode_words, encode_words

PRINTABLE = st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"])
NAMES = st.text(PRINTABLE, max_size=30)
MAILBOXES = st.from_regex(
    r"[a-z0-9._+-]{0,10}[a-z0-9]@(example\.com|dead\.test|mail\.post\.example)", fullmatch=True
).filter(lambda text: ".." not in text and not text.startswith(".") and ".@" not in text)
ADDRESSES = st.builds(
    lambda name, mailbox: str(Address(*mailbox.split("@"), name.strip(" "))),
    NAMES,
    MAILBOXES,
)
BODIES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=200)
HEADER_NAMES = st.from_regex(r"X-[A-Za-z0-9]{1,10}", fullmatch=True)
TAG_TEXTS = st.from_regex(r"[A-Za-z0-9_-]{1,20}", fullmatch=True).filter(
    lambda text: text not in {"job_id", "attempt", "lane", "stream"}
)
EMAILS = st.builds(
    dict,
    sender=st.none() | ADDRESSES,
    to=st.lists(ADDRESSES, min_size=1, max_size=5, unique_by=lambda text: parse_address(text).canonical),
    reply_to=st.lists(ADDRESSES, max_size=3),
    subject=st.text(PRINTABLE, max_size=100),
    text=BODIES,
    html=st.none() | BODIES,
    headers=st.dictionaries(
        HEADER_NAMES,
        st.text(PRINTABLE, min_size=1, max_size=100).filter(lambda text: text.strip() != ""),
        max_size=3,
    ).filter(lambda headers: len({name.lower() for name in headers}) == len(headers)),
    tags=st.dictionaries(TAG_TEXTS, TAG_TEXTS, max_size=3),
)


def email(**fields):
    return Email(
        **({"sender": "hello@example.com", "to": "ada@example.net", "subject": "Hello", "text": "Hi"} | fields)
    )


@given(EMAILS)
def test_an_email_is_the_same_after_a_journey_as_json(fields):
    sent = Email(**fields)

    arrived = Email.model_validate(json.loads(sent.model_dump_json()))

    assert arrived == sent
    assert arrived.model_dump_json() == sent.model_dump_json()


@given(EMAILS)
def test_everything_that_goes_into_a_header_is_one_line_of_ascii(fields):
    sent = Email(**fields)

    lines = [address.wire for address in (*sent.recipients, *sent.reply_to)]
    lines += [f"{name}: {value}" for name, value in sent.wire_headers.items()]
    for line in lines:
        assert line.isascii()
        assert line.isprintable()


@given(st.dictionaries(st.text(max_size=12), st.text(max_size=12), max_size=3))
def test_any_headers_are_taken_or_refused_and_those_taken_begin_no_other_header(headers):
    try:
        taken = email(headers=headers).wire_headers
    except InvalidEmail as refusal:
        places = {place for place, _ in refusal.problems}
        assert places == {"headers"}
        return
    for name, value in taken.items():
        assert not set(name + value) & set("\r\n\0")
        assert ":" not in name


@given(
    st.one_of(
        st.none(), st.text(), st.integers(), st.binary(), st.lists(st.text()), st.dictionaries(st.text(), st.text())
    )
)
def test_whatever_stands_in_a_field_it_is_an_email_or_invalid_email(value):
    for field in ("sender", "to", "cc", "bcc", "reply_to", "subject", "text", "html", "headers", "tags"):
        try:
            made = email(**{field: value})
        except InvalidEmail:
            continue
        assert made.model_dump_json()


@given(st.one_of(st.none(), st.text(), st.integers(), st.lists(st.text()), st.dictionaries(st.text(), st.text())))
def test_whatever_is_read_as_an_email_it_is_one_or_invalid_email(value):
    with pytest.raises(InvalidEmail):
        Email.model_validate(value)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300))
def test_encoded_words_decode_to_the_text_and_each_is_short_enough(text):
    encoded = encode_words(text)

    assert decode_words(encoded) == text
    assert all(len(word) <= 75 for word in encoded.split(" "))


def test_recipients_are_to_then_cc_then_bcc():
    made = email(to=["a@b.test", "c@d.test"], cc="Eve <e@f.test>", bcc=("g@h.test",))

    assert [address.mailbox for address in made.recipients] == ["a@b.test", "c@d.test", "e@f.test", "g@h.test"]


@pytest.mark.parametrize("field", ["to", "cc", "bcc"])
def test_one_recipient_in_any_field_is_enough(field):
    made = Email(**{"sender": "hello@example.com", "subject": "", "html": "<p>", field: "ada@example.net"})

    assert len(made.recipients) == 1


def test_fifty_recipients_are_taken():
    assert (
        len(email(to=[f"u{n}@example.net" for n in range(30)], bcc=[f"u{n}@x.test" for n in range(20)]).recipients)
        == 50
    )


def test_an_email_of_exactly_the_largest_size_is_taken():
    overhead = len("Hello")

    assert email(text="x" * (MAX_CONTENT_BYTES - overhead)).text is not None
    with pytest.raises(InvalidEmail, match=f"at most {MAX_CONTENT_BYTES}"):
        email(text="x" * (MAX_CONTENT_BYTES - overhead + 1))


def test_a_header_of_exactly_the_largest_size_is_taken():
    assert email(headers={"X": "x" * 995}).headers["X"]
    with pytest.raises(InvalidEmail, match="too long"):
        email(headers={"XY": "x" * 995})


def test_fifteen_headers_with_unsubscribe_links_are_taken():
    headers = {f"X-{n}": "x" for n in range(13)} | {
        "List-Unsubscribe": "<https://example.com/u?id=1>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }

    assert email(headers=headers).wire_headers == headers


def test_a_header_beyond_ascii_travels_in_encoded_words():
    assert email(headers={"X-Note": "Grüße"}).wire_headers == {"X-Note": "=?utf-8?b?R3LDvMOfZQ==?="}


def test_an_email_cannot_be_changed():
    made = email()

    with pytest.raises(ValueError, match="frozen"):
        made.subject = "Other"


def test_the_repr_of_an_email_shows_nothing_of_it():
    made = email(subject="s3cret", to="s3cret@example.net", text="s3cret", headers={"X-Note": "s3cret"})

    assert repr(made) == "Email(recipients=1)"
    assert "s3cret" not in f"{made} {made!r} {list(made.__rich_repr__())}"


def test_addresses_may_be_given_read_and_are_read_again():
    made = email(to=parse_address("Ada <ada@example.net>"))

    assert made.to == (Address("ada", "example.net", "Ada"),)
    with pytest.raises(InvalidEmail, match="control character"):
        email(to=Address("ada\r\nBcc: x", "example.net"))
