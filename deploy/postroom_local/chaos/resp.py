"""Redis's wire protocol, as far as a proxy needs it: where a client's command ends, and what its words are. Pure."""

from collections.abc import Iterator


class CommandReader:
    """Cuts a client's bytes into commands, however they arrive.

    Commands are arrays of bulk strings, as every client library sends them. Raises `ValueError` for anything else.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[bytes, list[bytes]]]:
        """Add bytes; yield each whole command as its bytes and its words."""
        self._buffer += data
        while True:
            command = self._next()
            if command is None:
                return
            yield command

    def _next(self) -> tuple[bytes, list[bytes]] | None:
        header = self._line(0)
        if header is None:
            return None
        count, position = self._number(header[0], b"*"), header[1]
        words: list[bytes] = []
        for _ in range(count):
            length_line = self._line(position)
            if length_line is None:
                return None
            length, start = self._number(length_line[0], b"$"), length_line[1]
            if len(self._buffer) < start + length + 2:
                return None
            words.append(bytes(self._buffer[start : start + length]))
            position = start + length + 2
        raw = bytes(self._buffer[:position])
        del self._buffer[:position]
        return raw, words

    def _line(self, start: int) -> tuple[bytes, int] | None:
        end = self._buffer.find(b"\r\n", start)
        return None if end < 0 else (bytes(self._buffer[start:end]), end + 2)

    @staticmethod
    def _number(line: bytes, kind: bytes) -> int:
        if not line.startswith(kind):
            raise ValueError(f"a client sent {line[:20]!r} where {kind!r} was due")
        return int(line[1:])
