"""Patience: how long a silent or busy server is waited for, and how often it is asked again.

ZOO_CONNECT_TIMEOUT=10   seconds until there is a connection
ZOO_READ_TIMEOUT=60      seconds between two arrivals of bytes, not for the whole
ZOO_RETRIES=3            how often in a row a source is asked again that brings nothing
ZOO_RETRY_PAUSE=1        seconds before the first time; each further pause is twice as long, less up to half by chance
"""

from __future__ import annotations

import math
import os
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from zoo.errors import OptionError

T = TypeVar("T")

LONGEST = 120.0  # seconds; a server that asks for a longer pause is given up
ENOUGH = 1 << 16  # bytes; an attempt that brought so many was not in vain
_WORTH_SAYING = 2.0  # seconds of a pause


class UnavailableError(Exception):
    """A source did not deliver; the message is what it answered.

    passing: whether it may well deliver when it is asked again; after: how many seconds it asks to wait.
    """

    def __init__(self, message: str, *, passing: bool = False, after: float | None = None) -> None:
        super().__init__(message)
        self.passing = passing
        self.after = after


@dataclass(frozen=True)
class Patience:
    """The settings above, as the environment has them now."""

    connect: float
    read: float
    retries: int
    pause: float


def patience() -> Patience:
    """Read from the environment; raises OptionError for what is no number there."""
    return Patience(
        _number("ZOO_CONNECT_TIMEOUT", 10.0, above=0),
        _number("ZOO_READ_TIMEOUT", 60.0, above=0),
        int(_number("ZOO_RETRIES", 3)),
        _number("ZOO_RETRY_PAUSE", 1.0),
    )


def insist(ask: Callable[[], T], came: Callable[[], int] = lambda: 0) -> T:
    """What `ask` returns, which is called again after a passing UnavailableError.

    came: the bytes that have come so far; after an attempt that brought some the count of failures starts again.
    """
    how, failures, before = patience(), 0, came()
    while True:
        try:
            return ask()
        except UnavailableError as error:
            now = came()
            failures = 1 if now - before >= ENOUGH else failures + 1
            before = now
            if not error.passing:
                raise
            if failures > how.retries:
                asked = f" (asked {failures} times)" if how.retries else ""
                raise UnavailableError(f"{error}{asked}") from error
            _wait(error, how.pause * 2 ** (failures - 1) * random.uniform(0.5, 1))


def _wait(error: UnavailableError, seconds: float) -> None:
    if error.after is not None:
        if error.after > LONGEST:
            raise UnavailableError(f"{error} (it asks to wait {error.after:,.0f} s)") from error
        seconds = max(seconds, error.after)
    if seconds >= _WORTH_SAYING:
        print(f"{error}; asking again in {seconds:.0f} s ...", file=sys.stderr)
    time.sleep(seconds)


def _number(name: str, usual: float, above: float | None = None) -> float:
    text = os.environ.get(name, "")
    try:
        value = float(text) if text else usual
    except ValueError as error:
        raise OptionError(f"{name}={text!r} is no number") from error
    if not math.isfinite(value) or value < 0 or value == above:
        raise OptionError(f"{name}={text!r} makes no sense; give a number above 0")
    return value
