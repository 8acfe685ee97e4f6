"""Every message of `tests/data/ses_events` leads to what its `expected.json` says."""

import json
from pathlib import Path

import pytest

from postroom_worker.policy.feedback_effects import (
    AddressFate,
    ConfirmSubscription,
    DeadLetter,
    Effects,
    Ignored,
    decide,
)
from postroom_worker.policy.feedback_parsing import parse_feedback

DIRECTORY = Path(__file__).parents[2] / "data" / "ses_events"
EXPECTED = json.loads((DIRECTORY / "expected.json").read_text())
TOPIC_ARN = EXPECTED["topic_arn_allow_list"][0]

#: Where the expectation is contested, the choice, which `docs/feedback.md` explains, is always the first one: no file
#: is settled by its `acceptable_outcomes`.
FATES = {
    "suppress_permanent": AddressFate.SUPPRESS,
    "complaint": AddressFate.COMPLAINT,
    "transient": AddressFate.TRANSIENT,
    "undetermined": AddressFate.UNDETERMINED,
    "provider_blocked": AddressFate.PROVIDER_BLOCKED,
}


def decision_on(name):
    return decide(parse_feedback((DIRECTORY / name).read_text(encoding="utf-8")), topic_arn=TOPIC_ARN)


def outcome_of(decision):
    match decision:
        case DeadLetter():
            return "dead_letter"
        case Ignored() | ConfirmSubscription():
            return "ignored"
        case Effects():
            fates = {effect.fate for effect in decision.addresses} - {AddressFate.DELIVERED}
            assert len(fates) <= 1
            return str(fates.pop()) if fates else "ignored"


def test_every_file_has_an_expectation_and_every_expectation_a_file():
    assert {path.name for path in DIRECTORY.glob("[0-9]*.json")} == set(EXPECTED["files"])


@pytest.mark.parametrize("name", EXPECTED["files"])
def test_a_genuine_message_leads_to_what_is_expected_of_it(name):
    expected, decision = EXPECTED["files"][name], decision_on(name)
    effects = decision.addresses if isinstance(decision, Effects) else ()
    assert outcome_of(decision) == expected["outcome"]
    assert isinstance(decision, DeadLetter) is not expected["delete_from_queue"]
    for field, fate in FATES.items():
        assert [effect.address for effect in effects if effect.fate is fate] == expected[field]
    counted = (decision.bounced, decision.complained) if isinstance(decision, Effects) else (0, 0)
    assert counted == (expected["hard_bounce_events_counted"], expected["complaint_events_counted"])


@pytest.mark.parametrize("name", EXPECTED["files"])
def test_an_address_that_an_event_ignores_stays_deliverable(name):
    decision = decision_on(name)
    touched = (
        {effect.address for effect in decision.addresses if effect.fate is not AddressFate.DELIVERED}
        if isinstance(decision, Effects)
        else set()
    )
    assert touched.isdisjoint(EXPECTED["files"][name]["ignored_addresses"])


def test_the_same_bounce_under_two_sns_messages_is_one_event():
    name = "022_env_event_bounce_redelivered_a.json"
    body = json.loads((DIRECTORY / name).read_text())
    again = decide(parse_feedback(json.dumps(body | {"MessageId": "another"})), topic_arn=TOPIC_ARN)
    assert decision_on(name).event_key == again.event_key is not None


@pytest.mark.parametrize("name", EXPECTED["files"])
def test_what_a_message_holds_shows_in_no_repr(name):
    message, decision = parse_feedback((DIRECTORY / name).read_text(encoding="utf-8")), decision_on(name)
    for shown in (repr(message), repr(decision)):
        assert "Subject" not in shown
        assert "body=" not in shown
        for field in FATES:
            assert not any(address in shown for address in EXPECTED["files"][name][field])
