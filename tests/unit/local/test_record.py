from hypothesis import given
from hypothesis import strategies as st

from postroom_local.simulator import record as record_module
from postroom_local.simulator.message import Draft, Message
from postroom_local.simulator.record import Record, worst_window_recipients


def message(sequence):
    draft = Draft(operation="SendEmail", sender="a@b", sender_address="a@b", to=("c@d",), subject="s", text="t")
    return Message(sequence=sequence, ses_message_id="id", accepted_at=float(sequence), draft=draft)


def test_two_sends_exactly_one_second_apart_share_no_window():
    assert worst_window_recipients([(1.0, 1), (2.0, 1), (3.0, 1)]) == 1
    assert worst_window_recipients([(1.0, 1), (1.999, 1), (3.0, 1)]) == 2


def test_recipients_are_counted_not_calls():
    assert worst_window_recipients([(1.0, 50), (1.5, 1)]) == 51


def test_nothing_sent_is_a_worst_window_of_nothing():
    assert worst_window_recipients([]) == 0


@given(st.lists(st.tuples(st.floats(0, 10), st.integers(1, 50)), min_size=1).map(sorted))
def test_the_worst_window_is_what_a_count_of_all_windows_says(sends):
    every = [sum(n for at, n in sends if start <= at and at - start < 1.0) for start, _ in sends]
    assert worst_window_recipients(sends) == max(every)


def test_texts_of_old_messages_are_let_go_and_the_rest_is_kept(monkeypatch):
    monkeypatch.setattr(record_module, "CONTENT_KEPT_MESSAGES", 2)
    record = Record()
    for sequence in range(4):
        record.add(message(sequence))
    assert [each.draft.text for each in record.messages] == [None, None, "t", "t"]
    assert (record.recipients, record.worst_window.recipients) == (4, 1)
    assert all(each.draft.subject == "s" for each in record.messages)
