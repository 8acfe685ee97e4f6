from hypothesis import given
from hypothesis import strategies as st

from postroom_local.simulator.raw_message import read_raw_message

MESSAGE = b"""From: =?utf-8?q?Gr=C3=BC=C3=9Fe?= <news@example.com>\r
To: "Ada, Countess" <ada@example.net>, bob@example.net\r
Cc: carl@example.net\r
Bcc: secret@example.net\r
Subject: =?utf-8?b?w4RwZmVs?=\r
X-SES-CONFIGURATION-SET: postroom\r
X-SES-MESSAGE-TAGS: job_id=j1, lane=bulk, broken\r
\r
Hello\r
"""


def test_headers_are_read_and_decoded():
    raw = read_raw_message(MESSAGE)
    assert raw.sender == "Grüße <news@example.com>"
    assert raw.to == ("ada@example.net", "bob@example.net")
    assert raw.cc == ("carl@example.net",)
    assert raw.bcc == ("secret@example.net",)
    assert raw.subject == "Äpfel"
    assert raw.configuration_set == "postroom"
    assert raw.tags == (("job_id", "j1"), ("lane", "bulk"))


def test_bcc_and_instructions_to_ses_are_not_among_the_headers_that_events_show():
    assert [name for name, _ in read_raw_message(MESSAGE).headers] == ["From", "To", "Cc", "Subject"]


def test_a_subject_in_an_unknown_charset_stands_as_it_came():
    assert read_raw_message(b"Subject: =?klingon?q?x?=\r\n\r\n").subject == "=?klingon?q?x?="


@given(st.binary() | st.binary().map(lambda junk: b"Subject: " + junk + b"\r\nFrom: " + junk + b"\r\n\r\n"))
def test_every_sequence_of_bytes_is_a_message_of_some_kind(data):
    raw = read_raw_message(data)
    assert all(text is None or text.encode() is not None for text in (raw.subject, raw.sender))
