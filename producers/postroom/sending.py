"""From an email and its options to a job, and from many jobs to the calls that push them. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Final, TypedDict

from pydantic import ValidationError

from postroom.addresses import Address, InvalidAddress, parse_address
from postroom.email import Email
from postroom.errors import InvalidEmail, InvalidJob, NotConfigured
from postroom.job import Job, OnUncertain, new_job_id
from postroom.keys import DIGEST_DIGITS
from postroom.lanes import Lane
from postroom.problems import problems_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from random import Random

#: Jobs of one call. One script holds Redis while it runs: 500 jobs of 3 kB for 5 to 8 ms.
MAX_CALL_JOBS: Final = 500

#: Recipients of one call, the cap all scripts of Postroom share.
MAX_CALL_RECIPIENTS: Final = 1000

#: Bytes of messages in one call, which Redis copies while it runs: 4 MiB hold it for 2 to 8 ms.
MAX_CALL_BYTES: Final = 4 * 1024 * 1024

#: Bulk emails that are held and shuffled before they are pushed. A list is often sorted by how good it is, and a bad
#: end shows too late: shuffled, the worst bounce ratio of a list whose last two thirds are dead is 2.9 % and not 6.2 %.
SHUFFLED_JOBS: Final = 10_000

#: Bytes of messages that are held for that, whatever their number.
SHUFFLED_BYTES: Final = 64 * 1024 * 1024


class SendOptionValues(TypedDict, total=False):
    """The options of one email of `send_many`, as a mapping. Meanings as in `SendOptions`."""

    lane: Lane | str
    stream: str | None
    idempotency_key: str | None
    send_at: datetime | float | None
    expires_in: float | None
    on_uncertain: OnUncertain | str


@dataclass(frozen=True, slots=True, kw_only=True)
class SendOptions:
    """How an email is sent. An option left None is taken from the call.

    - `stream`: the producer's own name for a list or campaign, 1 to 64 of ``A-Z a-z 0-9 _ -``
    - `idempotency_key`: the caller's name for this one send, at most 255 characters
    - `send_at`: when, as an aware datetime or in seconds since the epoch
    - `expires_in`: seconds from now, or from `send_at`, after which it is not sent any more
    - `on_uncertain`: what to do when the answer is lost and nothing tells what became of it
    """

    lane: Lane | str | None = None
    stream: str | None = None
    idempotency_key: str | None = None
    send_at: datetime | float | None = None
    expires_in: float | None = None
    on_uncertain: OnUncertain | str | None = None


#: What `send_many` takes for one email.
Item = Email | tuple[Email, SendOptions | SendOptionValues]


def sender_of(text: str | None, *, setting: str) -> Address | None:
    """Read a default sender.

    Raises `NotConfigured`, naming the setting, for what is no address.
    """
    if text is None:
        return None
    try:
        return parse_address(text)
    except InvalidAddress as error:
        raise NotConfigured(f"{setting} {error}") from None


def make_job(email: Email, options: SendOptions, *, default_sender: Address | None, now: float) -> Job:
    """Return a new job with a fresh id. `now` is in seconds since the epoch.

    Raises `InvalidEmail` where there is no sender at all, `InvalidJob` for options that cannot be used.
    """
    if not isinstance(email, Email):
        raise InvalidEmail([("email", "must be an Email")], value=email)
    if email.sender is None:
        if default_sender is None:
            raise InvalidEmail([("sender", "is missing: give the email a sender or the client a default_sender")])
        email = email.model_copy(update={"sender": default_sender})
    send_at = _seconds(options.send_at)
    try:
        return Job(
            id=new_job_id(),
            lane=_lane(options.lane),
            email=email,
            stream=options.stream,
            idempotency_key=options.idempotency_key,
            enqueued_at=now,
            send_at=send_at,
            expires_at=_expiry(options.expires_in, starts_at=now if send_at is None else max(now, send_at)),
            on_uncertain=_on_uncertain(options.on_uncertain),
        )
    except ValidationError as error:
        # Without its cause: pydantic's error holds the input, and a traceback shows causes.
        raise InvalidJob(problems_of(error), value=options) from None


def job_of_item(item: Item, options: SendOptions, *, default_sender: Address | None, now: float) -> Job:
    """Return the job of one item of `send_many`, with the item's own options over the call's."""
    email, own = item if isinstance(item, tuple) else (item, None)
    return make_job(
        email,
        options if own is None else _over(options, own),
        default_sender=default_sender,
        now=now,
    )


def checked_options(options: SendOptions) -> SendOptions:
    """Return the options of a call of `send_many`, with the names of lane and policy resolved.

    Raises `InvalidJob` before the first email is touched.
    """
    return replace(options, lane=_lane(options.lane), on_uncertain=_on_uncertain(options.on_uncertain))


def checked_batch(batch: int) -> int:
    """Return how many jobs go into one call.

    Raises `InvalidJob` for a number out of range.
    """
    if not 1 <= batch <= MAX_CALL_JOBS:
        raise InvalidJob([("batch", f"must be 1 to {MAX_CALL_JOBS}")], value=batch)
    return batch


def content_digest(job: Job) -> str:
    """Return what two sends under one idempotency key must have in common.

    It covers the whole email and the stream. It leaves out the lane and the times: they say how and when to send, a
    retry computes them anew, and a job that is already on its way cannot follow them. Fields at their defaults are
    left out, so that a field a later release adds changes no digest.
    """
    content = job.email.model_dump(mode="json", exclude_defaults=True)
    text = json.dumps([content, job.stream], sort_keys=True, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()[:DIGEST_DIGITS]


def push_order(jobs: Sequence[Job], randomness: Random) -> list[int]:
    """Return the order in which jobs are pushed: better lanes first and as given, then bulk, shuffled."""
    bulk = [index for index, job in enumerate(jobs) if job.lane is Lane.BULK]
    others = [index for index, job in enumerate(jobs) if job.lane is not Lane.BULK]
    randomness.shuffle(bulk)
    return others + bulk


def calls(sizes: Sequence[tuple[int, int]], *, max_jobs: int = MAX_CALL_JOBS) -> Iterator[range]:
    """Cut jobs, given as (recipients, bytes of message), into the ranges of one call each."""
    start = recipients = size_bytes = 0
    for index, (job_recipients, job_bytes) in enumerate(sizes):
        full = (
            index - start >= max_jobs
            or recipients + job_recipients > MAX_CALL_RECIPIENTS
            or size_bytes + job_bytes > MAX_CALL_BYTES
        )
        if full and index > start:
            yield range(start, index)
            start, recipients, size_bytes = index, 0, 0
        recipients += job_recipients
        size_bytes += job_bytes
    if start < len(sizes):
        yield range(start, len(sizes))


def _over(options: SendOptions, own: SendOptions | SendOptionValues) -> SendOptions:
    if not isinstance(own, SendOptions):
        own = _options_of(own)
    return SendOptions(
        lane=options.lane if own.lane is None else own.lane,
        stream=options.stream if own.stream is None else own.stream,
        idempotency_key=own.idempotency_key,
        send_at=own.send_at,
        expires_in=own.expires_in,
        on_uncertain=options.on_uncertain if own.on_uncertain is None else own.on_uncertain,
    )


def _options_of(values: object) -> SendOptions:
    known = {field.name for field in fields(SendOptions)}
    if not isinstance(values, Mapping) or not values.keys() <= known:
        raise InvalidJob([("options", f"must be a mapping of {', '.join(sorted(known))}")], value=values)
    return SendOptions(**values)


def _lane(lane: Lane | str | None) -> Lane:
    try:
        return Lane.TRANSACTIONAL if lane is None else Lane(lane)
    except ValueError:
        raise InvalidJob([("lane", f"must be one of {', '.join(Lane)}")], value=lane) from None


def _on_uncertain(choice: OnUncertain | str | None) -> OnUncertain:
    try:
        return OnUncertain.RESEND if choice is None else OnUncertain(choice)
    except ValueError:
        raise InvalidJob([("on_uncertain", f"must be one of {', '.join(OnUncertain)}")], value=choice) from None


def _seconds(when: datetime | float | None) -> float | None:
    """Return seconds since the epoch. A datetime without zone would mean another instant on every machine."""
    if when is None:
        return None
    if isinstance(when, datetime):
        if when.tzinfo is None:
            raise InvalidJob([("send_at", "has no time zone: give an aware datetime")], value=when)
        return when.timestamp()
    if isinstance(when, bool) or not isinstance(when, int | float):
        raise InvalidJob([("send_at", "must be an aware datetime or seconds since the epoch")], value=when)
    return float(when)


def _expiry(expires_in: float | None, *, starts_at: float) -> float | None:
    if expires_in is None:
        return None
    if isinstance(expires_in, bool) or not isinstance(expires_in, int | float):
        raise InvalidJob([("expires_in", "must be a number of seconds")], value=expires_in)
    if not (math.isfinite(expires_in) and expires_in > 0):
        raise InvalidJob([("expires_in", "must be more than 0 seconds")], value=expires_in)
    return starts_at + expires_in
