"""Resident memory of this process, in bytes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

_STATUS = Path("/proc/self/status")


def reset_peak() -> None:
    """Forget the peak so far: the next one is that of what follows (Linux; elsewhere it stays the process's own)."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return


def now() -> int:
    """What is resident now."""
    import psutil

    return int(psutil.Process().memory_info().rss)


def peak_since(before: int) -> dict[str, Any]:
    """The peak since `reset_peak`, in the form of `zoo_bench.row.Memory`; `before`: what was resident then."""
    return {"peak": _peak(), "kind": "resident", "before": before}


def _peak() -> int:
    if _STATUS.is_file():
        found = re.search(r"^VmHWM:\s+(\d+) kB", _STATUS.read_text(encoding="ascii"), re.MULTILINE)
        if found:
            return int(found[1]) * 1024
    import resource
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
