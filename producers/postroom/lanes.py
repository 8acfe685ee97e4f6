"""A lane is the queue a job travels in, and what it may use of the account's quota."""

from __future__ import annotations

from enum import StrEnum


class Lane(StrEnum):
    """The three lanes, best first: the order in which workers take jobs.

    ``critical`` is for what a person is waiting for (a password reset, a one-time code), ``transactional`` for what
    one person's action causes (a receipt), ``bulk`` for what goes to many (a newsletter).
    """

    CRITICAL = "critical"
    TRANSACTIONAL = "transactional"
    BULK = "bulk"
