"""Who may send to whom."""

from dataclasses import replace

import pytest

from postroom_local.simulator.account import account_of
from postroom_local.simulator.configuration_sets import ConfigurationSet
from postroom_local.simulator.identities import Identities, Identity, MailFrom
from postroom_local.simulator.message import Draft
from postroom_local.simulator.sending_rules import account_refusal, configuration_set_refusal, identity_refusal

PRODUCTION, SANDBOX = account_of("production"), account_of("sandbox")


def draft(sender="news@example.com", *to):
    return Draft(operation="SendEmail", sender=sender, sender_address=sender, to=to or ("ada@example.net",))


def identities(*names, **settings):
    book = Identities()
    for name in names:
        book.put(Identity(name=name, verified=True, **settings))
    return book


def test_production_asks_for_a_verified_sender_only():
    assert identity_refusal(draft(), account=PRODUCTION, identities=identities("example.com")) is None


def test_an_unverified_sender_is_refused_in_the_words_of_ses():
    refusal = identity_refusal(draft("x@example.org"), account=PRODUCTION, identities=identities("example.com"))
    assert refusal.code == "MessageRejected"
    assert refusal.message == (
        "Email address is not verified. The following identities failed the check in region EU-WEST-1: x@example.org"
    )


def test_the_sandbox_names_everyone_who_is_not_verified_once():
    refusal = identity_refusal(
        draft(
            "x@example.org", "ada@example.com", "bob@example.net", "bob@example.net", "success@simulator.amazonses.com"
        ),
        account=SANDBOX,
        identities=identities("example.com"),
    )
    assert refusal.message.endswith(": x@example.org, bob@example.net")


@pytest.mark.parametrize(
    ("identity", "address"),
    [
        ("example.com", "news@example.com"),
        ("example.com", "news@mail.example.com"),
        ("EXAMPLE.com", "News@Example.COM"),
        ("news@example.com", "NEWS@example.com"),
    ],
)
def test_an_identity_covers_its_addresses_and_a_domain_its_subdomains(identity, address):
    assert identities(identity).covering(address) is not None


@pytest.mark.parametrize("address", ["news@example.com", "news@notmail.example.com", "news@xmail.example.com"])
def test_a_domain_covers_neither_its_parent_nor_its_neighbours(address):
    assert identities("mail.example.com").covering(address) is None


def test_an_address_goes_before_its_domain():
    book = identities("example.com", "news@example.com")
    assert book.covering("news@example.com").name == "news@example.com"


def test_an_identity_that_is_not_verified_covers_nothing():
    book = Identities()
    book.put(Identity(name="example.com", verified=False))
    assert book.covering("news@example.com") is None


@pytest.mark.parametrize(
    ("status", "behavior", "refused"),
    [
        ("PENDING", "REJECT_MESSAGE", True),
        ("FAILED", "REJECT_MESSAGE", True),
        ("SUCCESS", "REJECT_MESSAGE", False),
        ("FAILED", "USE_DEFAULT_VALUE", False),
    ],
)
def test_a_missing_mail_from_domain_refuses_sends_only_if_the_identity_says_so(status, behavior, refused):
    mail_from = MailFrom(domain="bounce.example.com", status=status, behavior_on_mx_failure=behavior)
    refusal = identity_refusal(draft(), account=PRODUCTION, identities=identities("example.com", mail_from=mail_from))
    assert (refusal is not None) is refused
    if refused:
        assert refusal.code == "MailFromDomainNotVerifiedException"


def test_a_suspended_account_is_told_so_before_it_is_told_that_it_is_paused():
    assert account_refusal(PRODUCTION) is None
    paused = replace(PRODUCTION, sending_enabled=False)
    assert account_refusal(paused).code == "SendingPausedException"
    assert account_refusal(replace(paused, suspended=True)).code == "AccountSuspendedException"


def test_a_paused_configuration_set_refuses_sends_and_a_missing_one_is_no_matter_here():
    assert configuration_set_refusal(None) is None
    assert configuration_set_refusal(ConfigurationSet(name="postroom")) is None
    refusal = configuration_set_refusal(ConfigurationSet(name="postroom", sending_enabled=False))
    assert refusal.code == "SendingPausedException"
