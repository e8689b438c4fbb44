"""Kaggle: a model's files through kagglehub, which knows the user's account and Kaggle's own notebooks.

kagglehub writes to stdout, waits for ever on a silent server and can't be stopped, so it runs in a process of its own:
`python -m zoo.kaggle HANDLE`, which reports in one line of JSON and ends with the process that started it. It goes on
with half a file in its own cache alone, and not in a folder that it is given: that cache is moved to where parts are.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from zoo.archives import Limits
from zoo.disk import files_of, room_for
from zoo.errors import ArchiveError
from zoo.patience import UnavailableError, insist, patience
from zoo.progress import track

_TICK = 0.1
_PIECE = 1 << 16  # bytes that kagglehub has in memory and not in a file yet; its own choice is a megabyte


def download(handle: str, folder: Path, parts: Path) -> None:
    """Write the files of the model `OWNER/MODEL/FRAMEWORK/VARIATION/VERSION` into the empty `folder`.

    What an earlier attempt, of this process or another, left in `parts` is gone on with. A Kaggle that is busy or gone
    is asked again (`zoo.patience`). Raises UnavailableError with what it answered last, ArchiveError for more than
    weights are, WeightsError where the disk is full.
    """
    cache = parts / "kaggle"
    cache.mkdir(parents=True, exist_ok=True)
    try:
        insist(lambda: _attempt(handle, folder, cache), came=lambda: _written(cache))
    except ArchiveError:
        _forget(cache)
        raise
    finally:
        if cache.exists() and not _written(cache):
            _forget(cache)


def _attempt(handle: str, folder: Path, cache: Path) -> None:
    goes_on = _written(cache) > 0
    command = [sys.executable, "-P", "-m", __name__, handle]
    place = {**os.environ, "KAGGLEHUB_CACHE": str(cache)}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=place
    ) as child:
        try:
            for _ in track(_growing(child, cache), None, f"fetching {handle} from Kaggle"):
                pass
            assert child.stdout is not None
            report = child.stdout.read()
        except BaseException:
            child.kill()
            raise
    answer = json.loads(report) if report else {"reason": f"kagglehub ended with status {child.returncode}"}
    if "reason" in answer and "errno" not in answer and goes_on and not answer.get("passing"):
        shutil.rmtree(cache)  # what it went on with may be the cause
        cache.mkdir()
        answer["passing"] = True
    _take(answer, folder, cache)


def _take(answer: dict[str, Any], folder: Path, cache: Path) -> None:
    if "errno" in answer:
        with room_for(lambda: _written(cache), cache):
            raise OSError(answer["errno"], answer["reason"])
    if "reason" in answer:
        raise UnavailableError(answer["reason"], passing=answer.get("passing", False))
    path = Path(answer["path"])
    if cache not in path.parents:  # a Kaggle or Colab notebook has the model mounted
        shutil.copytree(path, folder, dirs_exist_ok=True)
        return
    _refuse(path)
    # Linked, and not moved: a process that is killed now need not fetch it again.
    shutil.copytree(path, folder, dirs_exist_ok=True, copy_function=_link)


def _refuse(path: Path) -> None:
    """What kagglehub unpacks itself, of models of many files, is held to what `zoo.archives` allows."""
    for count, file in enumerate(path.rglob("*"), start=1):
        if file.is_symlink():
            name = file.relative_to(path).as_posix()
            raise ArchiveError(f"{name!r} is a link to {os.readlink(file)!r}; an archive of weights holds none")
        if count > Limits.files:
            raise ArchiveError(f"it has more than {Limits.files:,} files and folders")


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _growing(child: subprocess.Popen[bytes], cache: Path) -> Iterator[int]:
    """A tick at a time until `child` ends; raises UnavailableError when nothing has arrived for long."""
    written, since, longest = 0, time.monotonic(), patience().read
    while child.poll() is None:
        time.sleep(_TICK)
        yield written
        now = _written(cache)
        if now > Limits.size:
            raise ArchiveError(f"{now:,} bytes have come, more than {Limits.size:,}")
        if now != written:
            written, since = now, time.monotonic()
        elif time.monotonic() - since > longest:
            raise UnavailableError(f"nothing came for {longest:g} s", passing=True)


def _written(cache: Path) -> int:
    """The bytes under `cache` by now, while kagglehub may be moving files about."""
    try:
        return sum(file.stat().st_size for file in files_of(cache).values())
    except FileNotFoundError:
        return -1


def _forget(cache: Path) -> None:
    shutil.rmtree(cache, ignore_errors=True)
    with suppress(OSError):
        cache.parent.rmdir()


def _main(handle: str) -> None:
    """What the process does; whatever kagglehub prints goes nowhere."""
    channel = os.dup(sys.stdout.fileno())
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, sys.stdout.fileno())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with os.fdopen(channel, "w") as report:
        json.dump(_fetched(handle), report)


def _fetched(handle: str) -> dict[str, Any]:
    from zoo.download import passing, reason

    try:
        import kagglehub
        from kagglehub import clients

        clients.CHUNK_SIZE = _PIECE
        return {"path": kagglehub.model_download(handle)}
    except OSError as error:
        import requests

        # A failed request of `requests` is an OSError as well.
        if isinstance(error, requests.RequestException) or error.errno is None:
            return {"reason": reason(error), "passing": passing(error)}
        return {"errno": error.errno, "reason": error.strerror or str(error)}
    except Exception as error:  # noqa: BLE001 - kagglehub raises many kinds; each is Kaggle's answer
        return {"reason": reason(error), "passing": passing(error)}


def _end_with_parent() -> None:
    sys.stdin.buffer.read()  # returns when the parent is gone, killed or not
    os._exit(1)


if __name__ == "__main__":
    _main(*sys.argv[1:])
