import re

import pytest
from botocore.session import get_session
from hypothesis import given
from hypothesis import strategies as st

from postroom_local.simulator.operations import ROUTES
from postroom_local.simulator.pages import page
from postroom_local.simulator.routing import API_PREFIX, Router
from postroom_local.simulator.ses_errors import SesError

ROUTER = Router(ROUTES)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_every_operation_is_reached_where_the_service_model_says(route):
    http = get_session().get_service_model("sesv2").operation_model(route.name).http
    assert (route.method, API_PREFIX + route.path) == (http["method"], http["requestUri"].rstrip("/"))


def test_path_parameters_are_decoded_one_segment_each():
    route, path = ROUTER.find("GET", "/v2/email/suppression/addresses/a%2Fb%2Bc%40example.net")
    assert route.name == "GetSuppressedDestination"
    assert path == {"EmailAddress": "a/b+c@example.net"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/v2/email/account"),
        ("GET", "/v2/email/suppression/addresses/"),
        ("GET", "/v2/email/identities/a/b/c"),
        ("POST", "/v2/email/contact-lists"),
        ("GET", "/"),
    ],
)
def test_whatever_else_is_an_unknown_operation(method, path):
    with pytest.raises(SesError) as refused:
        ROUTER.find(method, path)
    assert refused.value.code == "UnknownOperationException"


@given(count=st.integers(0, 50), size=st.integers(1, 20))
def test_pages_in_a_row_hold_everything_once(count, size):
    items, token = list(range(count)), None
    collected: list[int] = []
    while True:
        shown, token = page(items, token=token, size=size)
        collected += shown
        if token is None:
            break
    assert collected == items


@given(st.text() | st.from_regex(r"[0-9]{1,30}", fullmatch=True))
def test_a_token_that_was_never_given_is_refused_or_starts_somewhere_inside(token):
    if re.fullmatch(r"0{0,8}[0-2]", token):
        assert page([1, 2, 3], token=token, size=None) == ([1, 2, 3][int(token) :], None)
    else:
        with pytest.raises(SesError) as refused:
            page([1, 2, 3], token=token, size=None)
        assert refused.value.code == "InvalidNextTokenException"


@pytest.mark.parametrize("size", [0, -1, 1001])
def test_a_page_size_out_of_range_is_a_bad_request(size):
    with pytest.raises(SesError) as refused:
        page([1], token=None, size=size)
    assert refused.value.code == "BadRequestException"
