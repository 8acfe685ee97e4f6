"""The waiting room against the plainest model of it: a list per lane."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from postroom.lanes import Lane
from postroom_worker.policy.waiting_room import Waiting, WaitingRoom


class RoomAgainstLists(RuleBasedStateMachine):
    """Whoever comes, is called and comes back: the room is the three lists one after the other."""

    def __init__(self):
        super().__init__()
        self.room = WaitingRoom()
        self.lanes = {lane: [] for lane in Lane}
        self.names = itertools.count()

    def everybody(self):
        return list(itertools.chain.from_iterable(self.lanes.values()))

    @rule(lane=st.sampled_from(Lane), recipients=st.integers(1, 50), first=st.booleans())
    def comes(self, lane, recipients, first):
        waiting = Waiting(next(self.names), lane, recipients)
        self.room.add(waiting, first=first)
        self.lanes[lane].insert(0 if first else len(self.lanes[lane]), waiting)

    @precondition(lambda self: self.everybody())
    @rule(data=st.data())
    def leaves(self, data):
        waiting = data.draw(st.sampled_from(self.everybody()))
        self.room.leave(waiting)
        self.lanes[waiting.lane].remove(waiting)

    @precondition(lambda self: self.everybody())
    @rule()
    def the_best_head_leaves(self):
        head = next(self.room.heads())
        self.room.leave(head)
        assert head is self.everybody()[0]
        self.lanes[head.lane].pop(0)

    @invariant()
    def order_and_sums_agree(self):
        everybody = self.everybody()
        assert list(self.room) == everybody
        assert len(self.room) == len(everybody)
        assert self.room.recipients == sum(waiting.recipients for waiting in everybody)
        assert list(self.room.heads()) == [queue[0] for queue in self.lanes.values() if queue]


TestRoomAgainstLists = RoomAgainstLists.TestCase


def test_a_critical_job_that_comes_last_is_called_first():
    room = WaitingRoom()
    for lane in (Lane.BULK, Lane.TRANSACTIONAL, Lane.CRITICAL):
        room.add(Waiting(lane, lane, 1))

    assert [waiting.held for waiting in room.heads()] == [Lane.CRITICAL, Lane.TRANSACTIONAL, Lane.BULK]


def test_nobody_leaves_who_is_not_there():
    room = WaitingRoom()
    room.add(Waiting("one", Lane.BULK, 5))

    with pytest.raises(ValueError, match="not in deque"):
        room.leave(Waiting("two", Lane.BULK, 5))
    assert room.recipients == 5
