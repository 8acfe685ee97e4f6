"""The proxy cuts a client's bytes into commands, however they arrive."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom_local.chaos.resp import CommandReader


def encoded(words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


@given(st.lists(st.lists(st.binary(max_size=40), min_size=1, max_size=6), max_size=6), st.data())
def test_commands_come_out_as_they_went_in_wherever_the_bytes_are_cut(commands, data):
    stream = b"".join(encoded(words) for words in commands)
    reader, found, start = CommandReader(), [], 0
    while start < len(stream):
        size = data.draw(st.integers(min_value=1, max_value=len(stream) - start))
        found += reader.feed(stream[start : start + size])
        start += size

    assert [words for _, words in found] == commands
    assert b"".join(raw for raw, _ in found) == stream


def test_what_is_no_command_is_refused():
    with pytest.raises(ValueError, match="was due"):
        list(CommandReader().feed(b"GET / HTTP/1.1\r\n"))
