"""The policy table, where the genuine messages do not reach."""

import pytest

from postroom.outcomes import DeliveryState
from postroom_worker.policy.feedback_backoff import FIRST_BACKOFF_SECONDS, LAST_BACKOFF_SECONDS, backoff_seconds
from postroom_worker.policy.feedback_effects import (
    AddressEffect,
    AddressFate,
    ConfirmSubscription,
    DeadLetter,
    Effects,
    SuppressionReason,
    decide,
)
from postroom_worker.policy.feedback_event import (
    Bounce,
    BounceSubtype,
    BounceType,
    Complaint,
    ComplaintFeedbackType,
    ComplaintSubtype,
    DelayType,
    Delivery,
    DeliveryDelay,
    Engagement,
    EventType,
    FeedbackEvent,
    Mail,
    NotFeedback,
    NotFeedbackReason,
    Recipient,
    Reject,
    RenderingFailure,
    Send,
    Subscription,
)

ADA = Recipient(address="ada@example.net")
ARN = "arn:aws:sns:eu-west-1:111122223333:ses-feedback"


def event(detail, *, kind=EventType.BOUNCE, feedback_id="fb-1", ses_message_id="0102-1", body="{}", topic_arn=ARN):
    mail = Mail(ses_message_id=ses_message_id, destination=("ada@example.net",), tags=None)
    return FeedbackEvent(
        event_type=kind,
        mail=mail,
        detail=detail,
        feedback_id=feedback_id,
        happened_at=None,
        topic_arn=topic_arn,
        body=body,
    )


def effects_of(detail, **fields):
    effects = decide(event(detail, **fields), topic_arn=None)
    assert isinstance(effects, Effects)
    return effects


def bounce(bounce_type, subtype=BounceSubtype.GENERAL, *recipients):
    return Bounce(bounce_type, subtype, recipients or (ADA,))


@pytest.mark.parametrize(
    ("detail", "delivery", "rank"),
    [
        (Send(), None, 0),
        (Engagement(), None, 0),
        (Subscription(), None, 0),
        (DeliveryDelay(DelayType.GENERAL, (ADA,)), DeliveryState.DELAYED, 10),
        (bounce(BounceType.TRANSIENT), DeliveryState.BOUNCED, 15),
        (bounce(BounceType.UNDETERMINED), DeliveryState.BOUNCED, 15),
        (bounce(BounceType.UNKNOWN), DeliveryState.BOUNCED, 15),
        (Delivery((ADA,)), DeliveryState.DELIVERED, 20),
        (Reject(), DeliveryState.REJECTED, 30),
        (RenderingFailure(), DeliveryState.RENDERING_FAILED, 30),
        (bounce(BounceType.PERMANENT), DeliveryState.BOUNCED, 40),
        (bounce(BounceType.PERMANENT, BounceSubtype.UNSUBSCRIBED_RECIPIENT), DeliveryState.BOUNCED, 40),
        (Complaint(ComplaintFeedbackType.ABUSE, None, (ADA,)), DeliveryState.COMPLAINED, 50),
        (Complaint(ComplaintFeedbackType.NOT_SPAM, None, (ADA,)), None, 0),
    ],
)
def test_worse_news_has_a_higher_rank(detail, delivery, rank):
    effects = effects_of(detail)
    assert (effects.delivery, effects.delivery_rank) == (delivery, rank)


@pytest.mark.parametrize("feedback_type", ComplaintFeedbackType)
def test_every_complaint_but_not_spam_suppresses(feedback_type):
    effects = effects_of(Complaint(feedback_type, None, (ADA,)))
    if feedback_type is ComplaintFeedbackType.NOT_SPAM:
        assert effects.addresses == ()
        assert effects.complained == 0
    else:
        assert effects.addresses == (
            AddressEffect("ada@example.net", AddressFate.COMPLAINT, SuppressionReason.COMPLAINT),
        )
        assert effects.complained == 1


def test_an_address_on_a_tenants_list_is_not_suppressed_for_all():
    complaint = Complaint(ComplaintFeedbackType.UNSTATED, ComplaintSubtype.ON_TENANT_SUPPRESSION_LIST, (ADA,))
    assert [effect.fate for effect in effects_of(complaint).addresses] == [AddressFate.PROVIDER_BLOCKED]
    assert effects_of(complaint).complained == 0


@pytest.mark.parametrize("subtype", BounceSubtype)
def test_a_permanent_bounce_suppresses_unless_ses_did_not_try_for_reasons_of_its_own(subtype):
    blocked = {
        BounceSubtype.ON_TENANT_SUPPRESSION_LIST,
        BounceSubtype.EMAIL_VALIDATION_SUPPRESSED,
        BounceSubtype.UNSUBSCRIBED_RECIPIENT,
    }
    effects = effects_of(bounce(BounceType.PERMANENT, subtype))
    assert [effect.fate for effect in effects.addresses] == [
        AddressFate.PROVIDER_BLOCKED if subtype in blocked else AddressFate.SUPPRESS,
    ]
    assert effects.bounced == (0 if subtype in blocked | {BounceSubtype.ON_ACCOUNT_SUPPRESSION_LIST} else 1)


@pytest.mark.parametrize(
    ("recipient", "fate"),
    [
        (Recipient(address="a@example.net", action="failed", status="5.1.1"), AddressFate.SUPPRESS),
        (Recipient(address="a@example.net", action="delayed", status="4.0.0"), AddressFate.TRANSIENT),
        (Recipient(address="a@example.net", status="4.2.2"), AddressFate.TRANSIENT),
        (Recipient(address="a@example.net"), AddressFate.SUPPRESS),
    ],
)
def test_in_a_permanent_bounce_each_recipients_own_status_decides(recipient, fate):
    effects = effects_of(bounce(BounceType.PERMANENT, BounceSubtype.GENERAL, recipient, ADA))
    assert [effect.fate for effect in effects.addresses] == [fate, AddressFate.SUPPRESS]
    assert effects.bounced == (2 if fate is AddressFate.SUPPRESS else 1)


def test_a_transient_bounce_says_whether_ses_had_given_up_waiting():
    expired = Recipient(address="a@example.net", action="failed", status="4.4.7")
    effects = effects_of(bounce(BounceType.TRANSIENT, BounceSubtype.GENERAL, expired, ADA))
    assert [effect.expired for effect in effects.addresses] == [True, False]


def test_an_undetermined_bounce_may_name_nobody():
    assert effects_of(Bounce(BounceType.UNDETERMINED, BounceSubtype.UNDETERMINED, ())).addresses == ()


@pytest.mark.parametrize(
    "detail",
    [
        Bounce(BounceType.PERMANENT, BounceSubtype.GENERAL, ()),
        Bounce(BounceType.PERMANENT, BounceSubtype.GENERAL, (Recipient(address=None),)),
        Complaint(ComplaintFeedbackType.ABUSE, None, ()),
    ],
)
def test_a_bounce_for_good_or_a_complaint_that_names_nobody_is_kept_for_a_person(detail):
    assert isinstance(decide(event(detail), topic_arn=None), DeadLetter)


def test_copies_of_an_event_share_a_key_and_other_events_have_another():
    one = bounce(BounceType.PERMANENT)
    key = effects_of(one).event_key
    assert key is not None
    assert effects_of(one, ses_message_id="0102-2", body="other", topic_arn=None).event_key == key
    assert effects_of(one, feedback_id="fb-2").event_key != key
    without_id = effects_of(one, feedback_id=None).event_key
    assert effects_of(one, feedback_id=None, body="other").event_key == without_id != key
    assert effects_of(one, feedback_id=None, ses_message_id="0102-2").event_key != without_id
    bytes_only = effects_of(one, feedback_id=None, ses_message_id=None).event_key
    assert effects_of(one, feedback_id=None, ses_message_id=None, body="other").event_key != bytes_only
    complaint = Complaint(ComplaintFeedbackType.ABUSE, None, (ADA,))
    assert effects_of(complaint, kind=EventType.COMPLAINT).event_key not in {key, None}


@pytest.mark.parametrize("detail", [Send(), Delivery((ADA,)), Reject(), Engagement()])
def test_what_does_the_same_however_often_it_comes_needs_no_key(detail):
    assert effects_of(detail).event_key is None


def test_simulated_recipients_are_suppressed_and_not_counted():
    simulated = Recipient(address="bounce+a@simulator.amazonses.com")
    effects = effects_of(bounce(BounceType.PERMANENT, BounceSubtype.GENERAL, simulated, ADA))
    assert len(effects.addresses) == 2
    assert effects.bounced == 1


def confirmation(topic_arn, *, token="t"):  # noqa: S107  an example
    return NotFeedback(reason=NotFeedbackReason.SUBSCRIPTION_CONFIRMATION, topic_arn=topic_arn, body="{}", token=token)


def test_only_the_expected_topics_subscription_is_confirmed():
    assert decide(confirmation(ARN), topic_arn=ARN) == ConfirmSubscription(ARN, "t")
    for message, expected in [
        (confirmation("arn:aws:sns:eu-west-1:999:other"), ARN),
        (confirmation(ARN), None),
        (confirmation(None), ARN),
        (confirmation(ARN, token=None), ARN),
    ]:
        assert isinstance(decide(message, topic_arn=expected), DeadLetter)


def test_a_foreign_topic_is_not_believed_whatever_it_says():
    assert decide(event(Send(), topic_arn="arn:aws:sns:eu-west-1:999:other"), topic_arn=ARN) == DeadLetter(
        "foreign_topic"
    )
    assert isinstance(decide(event(Send(), topic_arn=ARN), topic_arn=ARN), Effects)
    # Raw delivery names no topic; the queue's policy says who may write to it.
    assert isinstance(decide(event(Send(), topic_arn=None), topic_arn=ARN), Effects)


def test_the_wait_after_errors_grows_to_its_bound_and_is_never_nothing():
    longest = [backoff_seconds(failures=failures, uniform=1.0) for failures in range(1, 40)]
    assert longest[0] == FIRST_BACKOFF_SECONDS
    assert longest == sorted(longest)
    assert longest[-1] == LAST_BACKOFF_SECONDS
    assert backoff_seconds(failures=1, uniform=0.0) == FIRST_BACKOFF_SECONDS / 2
