import pytest

from postroom_local.simulator.event_types import EventType
from postroom_local.simulator.mailbox import EVENTS_OF_FATE, Fate, Group, fate_of, grouped
from postroom_local.simulator.suppression import SuppressionReason


@pytest.mark.parametrize(
    ("address", "fate"),
    [
        ("success@simulator.amazonses.com", Fate.DELIVERED),
        ("bounce@simulator.amazonses.com", Fate.PERMANENT_BOUNCE),
        ("Bounce+Order-17@Simulator.AmazonSES.com", Fate.PERMANENT_BOUNCE),
        ("ooto@simulator.amazonses.com", Fate.OUT_OF_OFFICE),
        ("complaint+x@simulator.amazonses.com", Fate.COMPLAINED),
        ("suppressionlist@simulator.amazonses.com", Fate.ON_GLOBAL_LIST),
        ("bounce-17@demo.postroom.example", Fate.PERMANENT_BOUNCE),
        ("softbounce@demo.postroom.example", Fate.TRANSIENT_BOUNCE),
        ("mailboxfull.2@demo.postroom.example", Fate.MAILBOX_FULL),
        ("complain@demo.postroom.example", Fate.COMPLAINED),
        ("delay@demo.postroom.example", Fate.DELAYED),
        ("reject@demo.postroom.example", Fate.REJECTED),
        ("ada@demo.postroom.example", Fate.DELIVERED),
        ("bounce@example.net", Fate.DELIVERED),
    ],
)
def test_an_address_decides_what_becomes_of_an_email(address, fate):
    assert fate_of(address) is fate


def test_every_fate_leads_to_an_event():
    assert set(EVENTS_OF_FATE) == set(Fate)
    assert all(EVENTS_OF_FATE.values())


def test_a_complaint_follows_a_delivery():
    assert EVENTS_OF_FATE[Fate.COMPLAINED] == (EventType.DELIVERY, EventType.COMPLAINT)


def test_recipients_of_one_server_with_one_fate_share_their_events():
    recipients = ("a@example.net", "bounce1@demo.postroom.example", "b@example.net", "bounce2@demo.postroom.example")
    assert grouped(recipients, listed={}, has_virus=False) == (
        Group(Fate.DELIVERED, ("a@example.net", "b@example.net")),
        Group(Fate.PERMANENT_BOUNCE, ("bounce1@demo.postroom.example", "bounce2@demo.postroom.example")),
    )


def test_the_suppression_list_goes_before_the_mailbox():
    listed = {"a@example.net": SuppressionReason.BOUNCE, "b@example.net": SuppressionReason.COMPLAINT}
    assert grouped(("a@example.net", "b@example.net", "c@example.net"), listed=listed, has_virus=False) == (
        Group(Fate.ON_ACCOUNT_LIST_FOR_BOUNCE, ("a@example.net",)),
        Group(Fate.ON_ACCOUNT_LIST_FOR_COMPLAINT, ("b@example.net",)),
        Group(Fate.DELIVERED, ("c@example.net",)),
    )


@pytest.mark.parametrize(
    ("recipients", "has_virus"),
    [(("a@example.net", "reject@demo.postroom.example"), False), (("a@example.net", "b@example.net"), True)],
)
def test_a_rejected_message_reaches_nobody(recipients, has_virus):
    assert grouped(recipients, listed={}, has_virus=has_virus) == (Group(Fate.REJECTED, recipients),)
