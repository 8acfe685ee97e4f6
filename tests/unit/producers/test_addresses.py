from __future__ import annotations

import json
import unicodedata
from email.headerregistry import AddressHeader
from email.policy import SMTP
from pathlib import Path

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import example, given
from hypothesis import strategies as st

from postroom.addresses import Address, InvalidAddress, canonical_address, parse_address
from postroom.encoded_words import decode_words

LOCAL_PARTS = st.from_regex(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,20}(\.[A-Za-z0-9+_-]{1,20}){0,2}", fullmatch=True)
DOMAINS = st.sampled_from(
    ["example.com", "EXAMPLE.Net", "mail.post.example", "dead.test", "bücher.example", "a-b.test"]
)
ADDRESSES = st.builds("{}@{}".format, LOCAL_PARTS, DOMAINS)
PRINTABLE = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=60)


@pytest.mark.parametrize(
    ("text", "name", "mailbox", "wire"),
    [
        ("ada@example.net", "", "ada@example.net", "ada@example.net"),
        ("  ada@example.net ", "", "ada@example.net", "ada@example.net"),
        ("<ada@example.net>", "", "ada@example.net", "ada@example.net"),
        ("Ada@Example.NET", "", "Ada@example.net", "Ada@example.net"),
        ("Ada <ada@example.net>", "Ada", "ada@example.net", "Ada <ada@example.net>"),
        ("Ada<ada@example.net>", "Ada", "ada@example.net", "Ada <ada@example.net>"),
        ('"Ada" <ada@example.net>', "Ada", "ada@example.net", "Ada <ada@example.net>"),
        ("L, Ada <a@b.test>", "L, Ada", "a@b.test", '"L, Ada" <a@b.test>'),
        ('Ada "C" L <a@b.test>', 'Ada "C" L', "a@b.test", r'"Ada \"C\" L" <a@b.test>'),
        (r'"a \"b\" \\ <c>" <a@b.test>', r'a "b" \ <c>', "a@b.test", r'"a \"b\" \\ <c>" <a@b.test>'),
        ("a@b.test <a@b.test>", "a@b.test", "a@b.test", '"a@b.test" <a@b.test>'),
        ("Jörg <a@b.test>", "Jörg", "a@b.test", "=?utf-8?b?SsO2cmc=?= <a@b.test>"),
        ("🎉 <a@b.test>", "🎉", "a@b.test", "=?utf-8?b?8J+OiQ==?= <a@b.test>"),
        ("=?utf-8?q?J=C3=B6rg?= <a@b.test>", "Jörg", "a@b.test", "=?utf-8?b?SsO2cmc=?= <a@b.test>"),
        ('"=?utf-8?q?x?=" <a@b.test>', "=?utf-8?q?x?=", "a@b.test", "=?utf-8?b?PT91dGYtOD9xP3g/PQ==?= <a@b.test>"),
        ("a@bücher.example", "", "a@xn--bcher-kva.example", "a@xn--bcher-kva.example"),
        ('"ada"@example.net', "", "ada@example.net", "ada@example.net"),
        ('"a b"@example.net', "", '"a b"@example.net', '"a b"@example.net'),
        ('Ada <"a@b"@example.net>', "Ada", '"a@b"@example.net', 'Ada <"a@b"@example.net>'),
    ],
)
def test_an_address_is_read_with_its_name_and_written_for_the_wire(text, name, mailbox, wire):
    address = parse_address(text)

    assert (address.display_name, address.mailbox, address.wire) == (name, mailbox, wire)
    assert parse_address(str(address)) == address


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("", "has no @"),
        ("ada", "has no @"),
        ("@example.net", "before the @"),
        ("ada@", "after the @"),
        ("ada@localhost", "after the @"),
        ("ada@test", "without a dot"),
        ("ada@[192.0.2.1]", "after the @"),
        ("ada@192.0.2.1", "after the @"),
        ("ada@-x.example", "after the @"),
        ("ada@exa mple.net", "after the @"),
        ("ada@example..net", "after the @"),
        ("ada@printer.local", "after the @"),
        ("a b@example.net", "before the @"),
        (".ada@example.net", "before the @"),
        ("a..b@example.net", "before the @"),
        (f"{'x' * 65}@example.net", "before the @"),
        (f"{'x' * 64}@{'y' * 60}.{'y' * 60}.{'y' * 60}.example", "longer than 254"),
        ("用户@example.net", "non-ASCII"),
        ("\u0430da@example.net", "non-ASCII"),
        ("ada@example.net, bob@example.net", "before the @"),
        ("ada@example.net; bob@example.net", "before the @"),
        ("ada@example.net, Bob <bob@example.net>", "several addresses"),
        ("<ada@example.net>, <bob@example.net>", "several addresses"),
        ("Ada <ada@example.net> Bob <bob@example.net>", "several addresses"),
        ("ada@example.net>", "without its <"),
        ("Ada <ada@example.net", "before the @"),
        ("ada@example.net\n", "U+000A"),
        ("ada@example.net\r\nBcc: mallory@example.net", "U+000D"),
        ("Ada\r\nBcc: mallory@example.net <ada@example.net>", "U+000D"),
        ("ada\0@example.net", "U+0000"),
        ("Ada\u2028 <ada@example.net>", "U+2028"),
        ("Ada\x85 <ada@example.net>", "U+0085"),
        ("x\ud800@example.net", "U+D800"),
        ("=?utf-8?q?a=0D=0ABcc:_e?= <ada@example.net>", "name with a control character"),
        ("=?no-such-charset?q?a?= <ada@example.net>", "broken encoded word"),
        ("=?utf-8?q?=FF?= <ada@example.net>", "broken encoded word"),
        (f"{'n' * 201} <ada@example.net>", "more than 200"),
        (f"{'n' * 2000} <ada@example.net>", "longer than 2000"),
    ],
)
def test_what_is_no_single_address_is_refused_with_the_remedy_and_without_the_address(text, remedy):
    with pytest.raises(InvalidAddress, match=remedy.replace("+", r"\+")) as refusal:
        parse_address(text)

    assert "ada" not in str(refusal.value)
    assert "mallory" not in str(refusal.value)


def feedback_addresses():
    events = Path(__file__).parents[2] / "data" / "ses_events"
    expected = json.loads((events / "expected.json").read_text())["files"]
    for path in sorted(events.glob("*_addr_*.json")):
        event = json.loads(path.read_text())
        if "Message" in event:
            event = json.loads(event["Message"])
        (recipient,) = event["bounce"]["bouncedRecipients"]
        canonical = expected[path.name]["suppress_permanent"]
        yield pytest.param(recipient["emailAddress"], canonical[0] if canonical else None, id=path.stem)


@pytest.mark.parametrize(("reported", "canonical"), list(feedback_addresses()))
def test_an_address_that_feedback_reports_has_the_canonical_form_the_events_expect(reported, canonical):
    assert canonical_address(reported) == canonical


@pytest.mark.parametrize(
    ("reported", "canonical"),
    [
        ("RFC822; Ada@Example.net", "ada@example.net"),
        ("Ada <Ada@example.net>", "ada@example.net"),
        ('"ADA"@example.net', "ada@example.net"),
        ("ada@BÜCHER.example", "ada@xn--bcher-kva.example"),
        ("", None),
        ("rfc822;", None),
        (None, None),
        (17, None),
        (["ada@example.net"], None),
        (b"ada@example.net", None),
    ],
)
def test_any_spelling_of_an_address_has_one_canonical_form_and_anything_else_none(reported, canonical):
    assert canonical_address(reported) == canonical


@given(st.text(max_size=400))
@example("İ@example.com")
@example('"\u037e"@example.com')
@example("\ud800@\ud800")
@example("<" * 200 + ">")
@example('"' + "\\" * 201 + ">")
def test_canonical_address_is_total_and_a_canonical_address_is_its_own_canonical_form(text):
    canonical = canonical_address(text)

    if canonical is not None:
        assert canonical_address(canonical) == canonical
        assert canonical.encode()


@given(st.text(max_size=100), st.text(max_size=100))
def test_reading_an_address_gives_an_address_or_a_reason_and_never_another_error(name, mailbox):
    for text in (name, f"{name} <{mailbox}>", f'"{name}" <{mailbox}@example.com>'):
        try:
            address = parse_address(text)
        except InvalidAddress:
            continue
        else:
            assert parse_address(str(address)) == address
            assert address.wire.isascii()
            assert address.wire.isprintable()


@given(ADDRESSES)
def test_what_is_accepted_without_its_help_the_address_library_accepts_too(text):
    address = parse_address(text)

    checked = validate_email(text, test_environment=True, check_deliverability=False)
    assert address.domain == checked.ascii_domain
    assert address.canonical == f"{checked.local_part}@{checked.ascii_domain}".lower()


@given(st.text(st.characters(codec="ascii"), max_size=70))
def test_a_local_part_is_accepted_exactly_when_the_address_library_accepts_it(local_part):
    text = f"{local_part}@example.com".strip(" ")
    try:
        validate_email(text, allow_smtputf8=False, allow_quoted_local=True, strict=True, check_deliverability=False)
    except EmailNotValidError:
        with pytest.raises(InvalidAddress):
            parse_address(text)
    else:
        assert parse_address(text).domain == "example.com"


@given(PRINTABLE, ADDRESSES)
def test_every_name_arrives_as_it_was_given_at_whoever_reads_the_header_by_the_standard(name, mailbox):
    escaped = name.replace("\\", r"\\").replace('"', r"\"")
    address = parse_address(f'"{escaped}" <{mailbox}>')

    assert address.display_name == name.strip(" ")
    header = SMTP.header_factory("To", address.wire)
    assert isinstance(header, AddressHeader)
    (parsed,) = header.addresses
    assert parsed.addr_spec == address.mailbox
    if address.display_name.isascii() and "=?" not in address.display_name:
        # The standard library's reader folds runs of blanks.
        assert " ".join(parsed.display_name.split(" ")) == " ".join(address.display_name.split(" "))
    elif address.display_name:
        encoded = address.wire.rpartition(" <")[0]
        assert decode_words(encoded) == address.display_name


def test_the_canonical_form_keeps_the_plus_tag_and_compares_whatever_the_case():
    assert parse_address("Ada+News@Example.net").canonical == "ada+news@example.net"
    assert parse_address("ADA+NEWS@example.NET").canonical == "ada+news@example.net"


def test_the_repr_of_an_address_hides_the_mailbox():
    address = parse_address("Ada <ada@example.net>")

    assert "ada" not in repr(address).lower()
    assert address == Address("ada", "example.net", "Ada")


@given(st.text(max_size=80))
def test_the_canonical_local_part_is_in_normal_form(text):
    canonical = canonical_address(f"{text}@example.com")

    if canonical is not None:
        assert unicodedata.is_normalized("NFC", canonical)
