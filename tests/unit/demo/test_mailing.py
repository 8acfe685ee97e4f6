from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom import Lane
from postroom_local.demo.mailing import (
    LEAST_EMAILS,
    SUPPRESSED_KINDS,
    Kind,
    letters,
    sandbox_letters,
    second_letters,
)
from postroom_local.simulator.mailbox import Fate, fate_of

FATES = {
    Kind.READER: Fate.DELIVERED,
    Kind.BOUNCE: Fate.PERMANENT_BOUNCE,
    Kind.SOFT_BOUNCE: Fate.TRANSIENT_BOUNCE,
    Kind.FULL_MAILBOX: Fate.MAILBOX_FULL,
    Kind.COMPLAINT: Fate.COMPLAINED,
    Kind.DELAY: Fate.DELAYED,
    Kind.REJECT: Fate.REJECTED,
}


@given(st.integers(LEAST_EMAILS, 5000))
def test_every_kind_and_every_lane_is_there_and_bounces_stay_below_three_percent(count):
    mailing = letters(count)
    kinds = Counter(letter.kind for letter in mailing)
    assert len(mailing) == count
    assert set(kinds) == set(Kind)
    assert {letter.lane for letter in mailing} == set(Lane)
    assert kinds[Kind.BOUNCE] / count < 0.03


@given(st.integers(1334, 20_000))
def test_complaints_stay_below_the_ratio_at_which_aws_looks_at_an_account(count):
    assert sum(1 for letter in letters(count) if letter.kind is Kind.COMPLAINT) / count < 0.001


def test_no_address_is_written_to_twice():
    addresses = [letter.address for letter in letters(1000) + sandbox_letters(200)]
    assert len(set(addresses)) == len(addresses)


def test_the_simulated_ses_does_to_an_address_what_its_kind_says():
    for letter in letters(1000) + sandbox_letters(20):
        assert fate_of(letter.address) is FATES[letter.kind]


def test_too_few_emails_to_hold_a_bounce_are_refused():
    with pytest.raises(ValueError, match="at least 100"):
        letters(LEAST_EMAILS - 1)


def test_the_second_letters_go_to_those_who_bounced_or_complained_and_to_nobody_else():
    first = letters(1000)
    second = second_letters(first)
    assert {letter.kind for letter in second} == SUPPRESSED_KINDS
    assert {letter.address for letter in second} == {
        letter.address for letter in first if letter.kind in SUPPRESSED_KINDS
    }
