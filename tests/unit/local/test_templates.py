import pytest

from postroom_local.simulator.ses_errors import SesError
from postroom_local.simulator.templates import RenderingError, rendered, template_data


def test_variables_are_filled_in():
    values = template_data('{"name": "Ada", "address": {"city": "London"}, "n": 3}')
    assert rendered("{{name}} {{ address.city }} {{{n}}} {{#if x}}", values) == "Ada London 3 {{#if x}}"


def test_a_missing_variable_is_named_in_the_words_of_ses():
    with pytest.raises(RenderingError, match="Attribute 'first_name' is not present in the rendering data"):
        rendered("{{first_name}}", {})


@pytest.mark.parametrize("given", ["{", "[]", "1", "[" * 100_000])
def test_template_data_that_is_no_object_is_a_bad_request(given):
    with pytest.raises(SesError) as refused:
        template_data(given)
    assert refused.value.code == "BadRequestException"
