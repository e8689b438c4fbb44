"""Progress on the screen: for what takes more than a second, and only where a person looks."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


def visible() -> bool:
    """Whether a progress bar may be drawn: stderr is a terminal, and this is no CI run."""
    return sys.stderr.isatty() and not os.environ.get("CI")


@contextmanager
def busy(title: str) -> Iterator[None]:
    """A sign of life on stderr while what can't be counted takes more than a second."""
    if not visible():
        yield
        return
    from rich.console import Console
    from rich.status import Status

    status = Status(title, console=Console(stderr=True))
    later = threading.Timer(1.0, status.start)
    later.daemon = True
    later.start()
    try:
        yield
    finally:
        later.cancel()
        later.join()  # one that has begun to start the sign must not be overtaken by its end
        status.stop()


def track(items: Iterable[T], total: int | None, title: str) -> Iterator[T]:
    """`items`, with a progress bar on stderr once they take more than a second."""
    if not visible():
        yield from items
        return
    from rich.console import Console
    from rich.progress import Progress

    start, done, bar, handle = time.monotonic(), 0, None, None
    try:
        for item in items:
            yield item
            done += 1
            if bar is None and time.monotonic() - start > 1:
                bar = Progress(console=Console(stderr=True), transient=True)
                bar.start()
                handle = bar.add_task(title, total=total, completed=done)
            elif bar is not None and handle is not None:
                bar.update(handle, completed=done)
    finally:
        if bar is not None:
            bar.stop()
