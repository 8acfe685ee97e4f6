"""The short cut around botocore's form encoding says the same as the long way."""

from urllib.parse import parse_qs

from hypothesis import given
from hypothesis import strategies as st

from postroom_local.simulator.publisher import _encode_body

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.dictionaries(TEXT.filter(bool), TEXT))
def test_an_encoded_form_reads_back_as_it_was(form):
    params = {"body": form}
    _encode_body(params)
    read = parse_qs(params["body"].decode(), keep_blank_values=True, strict_parsing=bool(form))
    assert read == {name: [value] for name, value in form.items()}


def test_what_means_something_in_a_form_is_escaped():
    params = {"body": {"Message": '{"a":"1+1=2 & 100%;#?"}\n'}}
    _encode_body(params)
    assert parse_qs(params["body"].decode())["Message"] == ['{"a":"1+1=2 & 100%;#?"}\n']
