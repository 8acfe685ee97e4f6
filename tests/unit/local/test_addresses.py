import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom_local.simulator.addresses import bare_address, domain_of
from postroom_local.simulator.ses_errors import SesError


@pytest.mark.parametrize(
    ("given", "bare"),
    [
        ("ada@example.net", "ada@example.net"),
        ("Ada.Lovelace+x@Mail.Example.NET", "Ada.Lovelace+x@Mail.Example.NET"),
        ('"Ada, Countess" <ada@example.net>', "ada@example.net"),
        ("Ada <ada@example.net>", "ada@example.net"),
        ("Grüße <ada@xn--mnchen-3ya.example>", "ada@xn--mnchen-3ya.example"),
        ('"ada l"@example.net', '"ada l"@example.net'),
    ],
)
def test_a_display_name_is_taken_off(given, bare):
    assert bare_address(given) == bare


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("", "Missing final '@domain'"),
        ("ada", "Missing final '@domain'"),
        ("ada@", "Missing final '@domain'"),
        ("@example.net", "Missing local part"),
        ("adä@example.net", "Local address contains non-ASCII characters"),
        ("ada@exämple.net", "Domain contains illegal character"),
        ("ada@example..net", "Domain contains illegal character"),
        ("ada\r\nBcc: x@example.net", "Local address contains control or whitespace"),
        ('"ada\n"@example.net', "Local address contains control or whitespace"),
        ("ada@example.net\n", "Domain contains control or whitespace"),
    ],
)
def test_a_malformed_address_is_a_bad_request_that_says_why(given, message):
    with pytest.raises(SesError) as refused:
        bare_address(given)
    assert (refused.value.code, refused.value.message) == ("BadRequestException", message)


@given(st.text())
def test_any_text_is_an_address_of_ses_or_a_refusal(text):
    try:
        address = bare_address(text)
    except SesError:
        return
    assert address.isascii()
    assert address.isprintable()
    assert domain_of(address)
