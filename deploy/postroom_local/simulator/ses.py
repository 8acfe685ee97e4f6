"""The simulated service: its state, and what sending an email does to it."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from postroom_local.simulator.account import Account
from postroom_local.simulator.clock import Clock
from postroom_local.simulator.configuration_sets import ConfigurationSet
from postroom_local.simulator.daily_quota import DailyQuota
from postroom_local.simulator.dispatcher import Dispatcher
from postroom_local.simulator.event import Event
from postroom_local.simulator.event_types import EventType
from postroom_local.simulator.events import EVENT_SUBJECT, VALIDATION_MESSAGE
from postroom_local.simulator.faults import Faults
from postroom_local.simulator.identities import Identities
from postroom_local.simulator.mailbox import Fate, grouped, is_mailbox_simulator
from postroom_local.simulator.message import Draft, Message
from postroom_local.simulator.message_ids import message_id
from postroom_local.simulator.publisher import Notification, Publisher
from postroom_local.simulator.record import Record
from postroom_local.simulator.sending_rate import SendingRate
from postroom_local.simulator.sending_rules import account_refusal, configuration_set_refusal, identity_refusal
from postroom_local.simulator.ses_errors import (
    api_rate_exceeded,
    bad_request,
    configuration_set_not_found,
    daily_quota_exceeded,
    sending_rate_exceeded,
)
from postroom_local.simulator.suppression import SuppressedDestination, SuppressionList, SuppressionReason
from postroom_local.simulator.templates import Templates

#: Actions other than sends. https://docs.aws.amazon.com/ses/latest/dg/quotas.html
_API_CALLS_PER_SECOND = 1.0

#: What puts an address on the account-level list. Listed already, or bounced for a while only, does not.
_SUPPRESSING_FATES = {
    (EventType.BOUNCE, Fate.PERMANENT_BOUNCE): SuppressionReason.BOUNCE,
    (EventType.BOUNCE, Fate.ON_GLOBAL_LIST): SuppressionReason.BOUNCE,
    (EventType.COMPLAINT, Fate.COMPLAINED): SuppressionReason.COMPLAINT,
}


class SimulatedSes:
    """One account in one region. All of it lives in one event loop; no method waits."""

    def __init__(self, account: Account, *, clock: Clock, random: Random, faults: Faults, sns_endpoint: str) -> None:
        self.account = account
        self.clock = clock
        self.random = random
        self.identities = Identities()
        self.configuration_sets: dict[str, ConfigurationSet] = {}
        self.templates = Templates()
        self.suppression = SuppressionList()
        self.record = Record()
        self.rate = SendingRate()
        self.quota = DailyQuota()
        self._api_rates: dict[str, SendingRate] = {}
        self.publisher = Publisher(sns_endpoint, published=self._count_published, failed=self._count_failed)
        self.dispatcher = Dispatcher(
            clock=clock,
            random=random,
            faults=faults,
            record=lambda: self.record,
            publisher=self.publisher,
            topics_of=self._topics_of,
            happened=self._feed_suppression_list,
        )

    def send(self, draft: Draft) -> Message:
        """Accept a message, with all that follows. Raises `SesError` and leaves no trace when it is refused."""
        draft = self._with_default_configuration_set(draft)
        self._check(draft)
        now = self.clock()
        message = Message(
            sequence=len(self.record.messages),
            ses_message_id=message_id(now, self.random),
            accepted_at=now,
            draft=draft,
        )
        recipients = draft.recipients
        self.rate.take(len(recipients), now=now, max_send_rate=self.account.max_send_rate)
        self.quota.take(sum(not is_mailbox_simulator(each) for each in recipients), now=now)
        self.record.add(message)
        listed = self._listed(draft)
        self.dispatcher.schedule(message, grouped(recipients, listed=listed, has_virus=draft.has_virus))
        return message

    def take_api_call(self, operation: str) -> None:
        """Count a call of an action that does not send. Raises `SesError` where the limit is enforced and reached."""
        if not self.account.api_rate_enforced:
            return
        rate = self._api_rates.setdefault(operation, SendingRate())
        now = self.clock()
        if not rate.admits(now=now, max_send_rate=_API_CALLS_PER_SECOND):
            raise api_rate_exceeded()
        rate.take(1, now=now, max_send_rate=_API_CALLS_PER_SECOND)

    def announce_event_destination(self, topic_arn: str) -> None:
        """Publish the plain text with which SES tries a topic."""
        self.publisher.submit(Notification(topic_arn, VALIDATION_MESSAGE, EVENT_SUBJECT))

    def reset(self) -> None:
        """Forget what was sent and what was suppressed: full bucket, fresh day, empty record, no event pending."""
        self.dispatcher.forget()
        self.record = Record()
        self.rate = SendingRate()
        self.quota = DailyQuota()
        self._api_rates.clear()
        self.suppression.clear()

    def _check(self, draft: Draft) -> None:
        configuration_set = self._configuration_set(draft.configuration_set)
        refusal = (
            account_refusal(self.account)
            or configuration_set_refusal(configuration_set)
            or identity_refusal(draft, account=self.account, identities=self.identities)
        )
        if refusal is not None:
            raise refusal
        now = self.clock()
        account = self.account
        if not self.quota.admits(now=now, max_24_hour_send=account.max_24_hour_send, day_seconds=account.day_seconds):
            raise daily_quota_exceeded(account.daily_quota_error)
        if not self.rate.admits(now=now, max_send_rate=account.max_send_rate):
            raise sending_rate_exceeded()

    def _configuration_set(self, name: str | None) -> ConfigurationSet | None:
        if name is None:
            return None
        configuration_set = self.configuration_sets.get(name)
        if configuration_set is None:
            raise configuration_set_not_found(name)
        return configuration_set

    def _with_default_configuration_set(self, draft: Draft) -> Draft:
        """The draft with its identity's default configuration set where it names none."""
        if draft.configuration_set is not None:
            return draft
        identity = self.identities.covering(draft.sender_address)
        default = None if identity is None else identity.configuration_set
        if default is None:
            return draft
        if default not in self.configuration_sets:
            # Deleting a default set breaks sends with a "bad request", not with "not found".
            # https://docs.aws.amazon.com/ses/latest/dg/managing-configuration-sets.html
            raise bad_request(f"Default configuration set <{default}> does not exist.")
        return replace(draft, configuration_set=default)

    def _listed(self, draft: Draft) -> dict[str, SuppressionReason]:
        heeded = self._suppressed_reasons(draft.configuration_set)
        entries = {address: self.suppression.get(address) for address in draft.recipients}
        return {
            address: entry.reason for address, entry in entries.items() if entry is not None and entry.reason in heeded
        }

    def _suppressed_reasons(self, configuration_set: str | None) -> frozenset[SuppressionReason]:
        found = None if configuration_set is None else self.configuration_sets.get(configuration_set)
        own = None if found is None else found.suppressed_reasons
        return self.account.suppressed_reasons if own is None else own

    def _feed_suppression_list(self, event: Event) -> None:
        reason = _SUPPRESSING_FATES.get((event.type, event.fate))
        if reason is None or reason not in self._suppressed_reasons(event.message.draft.configuration_set):
            return
        for address in event.recipients:
            if not is_mailbox_simulator(address):
                self.suppression.put(
                    SuppressedDestination(
                        address=address,
                        reason=reason,
                        last_update_time=event.at,
                        ses_message_id=event.message.ses_message_id,
                        feedback_id=event.feedback_id,
                    )
                )

    def _topics_of(self, configuration_set: str, event_type: EventType) -> Sequence[str]:
        found = self.configuration_sets.get(configuration_set)
        if found is None:
            return ()
        return [each.topic_arn for each in found.event_destinations.values() if each.takes(event_type)]

    def _count_published(self, notification: Notification) -> None:
        self.record.published_notifications += 1
        if notification.event_type is not None:
            self.record.published[notification.event_type] += 1

    def _count_failed(self, _notification: Notification) -> None:
        self.record.publish_failures += 1
