"""Protobuf's wire format, as much as it takes to look into a message without its schema or the protobuf package.

Source: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations


class MalformedError(Exception):
    """Bytes that are no message."""


class Fields:
    """The fields of a message by number; length-delimited ones as views into the message, others as numbers."""

    def __init__(self, message: memoryview) -> None:
        self._values: dict[int, list[memoryview | int]] = {}
        at, end = 0, len(message)
        while at < end:
            tag = message[at]  # in one byte for all but high numbers
            tag, at = (tag, at + 1) if tag < 0x80 else _varint(message, at)
            at = self._read(message, tag >> 3, tag & 7, at)
            if at > end:
                raise MalformedError("a field is longer than its message")

    def _read(self, message: memoryview, number: int, kind: int, at: int) -> int:
        value: memoryview | int
        if kind == 0:
            value, end = _varint(message, at)
        elif kind == 2:
            length, at = _varint(message, at)
            end = at + length
            value = message[at:end]
        elif kind in (1, 5):
            end = at + (8 if kind == 1 else 4)
            value = 0
        else:
            raise MalformedError(f"no field has the wire type {kind}")
        self._values.setdefault(number, []).append(value)
        return end

    def raw(self, number: int) -> list[memoryview]:
        """The length-delimited values of a field, in order."""
        return [value for value in self._values.get(number, ()) if isinstance(value, memoryview)]

    def many(self, number: int) -> list[Fields]:
        """The messages of a repeated field."""
        return [Fields(value) for value in self.raw(number)]

    def one(self, number: int) -> Fields:
        """The message of a field; what comes in parts is merged, what is absent is empty."""
        return Fields(memoryview(b"".join(self.raw(number))))

    def text(self, number: int) -> str:
        """The text of a field; the last one counts, as protobuf has it."""
        values = self.raw(number)
        return bytes(values[-1]).decode("utf-8", "replace") if values else ""

    def numbers(self, number: int) -> list[int]:
        """The integers of a repeated field, packed or not."""
        found: list[int] = []
        for value in self._values.get(number, ()):
            if isinstance(value, int):
                found.append(value)
                continue
            at = 0
            while at < len(value):
                one, at = _varint(value, at)
                found.append(one)
        return found


def parsed(message: bytes) -> Fields:
    """The fields of `message`; raises MalformedError."""
    return Fields(memoryview(message))


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        if at >= len(message) or shift > 63:
            raise MalformedError("it ends inside a number")
        byte = message[at]
        at += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, at
        shift += 7
