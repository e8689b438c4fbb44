"""Download: what an address answers becomes a file, or the reason why not in a few words.

What has come stays when a download breaks off, with a note `FILE.json` beside it of what it is a part of; the next
attempt, of this process or another, asks for the rest only (HTTP Range), and for the whole where it has changed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from zoo.disk import no_room, room_for
from zoo.patience import UnavailableError, insist, patience
from zoo.progress import track

_CHUNK = 1 << 16
# 403 is what Google's and Kaggle's servers answer to one who asks too often.
_PASSING = {403, 408, 425, 429}


def download(url: str, target: Path) -> None:
    """Write what `url` answers to `target`, where an earlier attempt may have left a part; redirects are followed.

    A server that is busy, silent or gone is asked again (`zoo.patience`). Raises UnavailableError with what it
    answered last, WeightsError where the disk is full.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        insist(lambda: _attempt(url, target), came=lambda: target.stat().st_size if target.exists() else 0)
    finally:
        if not target.exists():
            forget(target)


def forget(target: Path) -> None:
    """Remove what came, its note, and their folder where it holds nothing else."""
    target.unlink(missing_ok=True)
    _note(target).unlink(missing_ok=True)
    with suppress(OSError):
        target.parent.rmdir()


def shown(url: str) -> str:
    """`url` without user name and password, fit for messages and manifests."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def reason(error: BaseException) -> str:
    """Why a request of `requests` failed, in a few words."""
    import requests
    import urllib3

    causes = list(_causes(error))
    for cause in reversed(causes):  # the innermost says most: refused, where its wrapper says timed out
        match cause:
            case requests.HTTPError() if cause.response is not None:
                return f"{cause.response.status_code} {cause.response.reason}".strip()
            case urllib3.exceptions.NameResolutionError():
                return "the name can't be resolved"
            case ConnectionRefusedError():
                return "connection refused"
            case urllib3.exceptions.ConnectTimeoutError():
                return f"no connection within {patience().connect:g} s"
            case urllib3.exceptions.ReadTimeoutError():
                return f"nothing came for {patience().read:g} s"
            case urllib3.exceptions.IncompleteRead():
                return f"the connection broke after {cause.partial:,} bytes with {cause.expected:,} to come"
            case requests.TooManyRedirects():
                return "it redirects in a circle"
    return f"{type(error).__name__}: {causes[-1]}"


def passing(error: BaseException) -> bool:
    """Whether a request of `requests` that failed so may well succeed when it is made again."""
    import requests
    import urllib3

    for cause in _causes(error):
        if isinstance(cause, requests.HTTPError) and cause.response is not None:
            return cause.response.status_code in _PASSING or cause.response.status_code >= 500
        if isinstance(cause, urllib3.exceptions.NameResolutionError | requests.exceptions.SSLError):
            return False
    broken = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
    return isinstance(error, broken)


def _attempt(url: str, target: Path) -> None:
    import requests

    how = patience()
    start, known = _part(url, target)
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers |= {"Range": f"bytes={start}-", "If-Range": known["version"]}
    try:
        with requests.get(url, stream=True, timeout=(how.connect, how.read), headers=headers) as response:
            if start and not _goes_on(response, start, known):
                target.unlink()
                if response.status_code != 200:
                    raise UnavailableError("it answered with another part than the one it was asked for", passing=True)
            response.raise_for_status()
            _receive(response, url, target)
    except requests.RequestException as error:
        raise UnavailableError(reason(error), passing=passing(error), after=_pause_asked(error)) from error


def _part(url: str, target: Path) -> tuple[int, dict[str, Any]]:
    """From which byte `url` is to be asked, and what is known of it; 0 where nothing has come that can be added to.

    Of a file that is whole the last byte is asked for once more: a server that still has the same one sends it, and
    every other the new file.
    """
    try:
        known = json.loads(_note(target).read_text(encoding="utf-8"))
        have = target.stat().st_size
        if known["url"] == shown(url) and known["version"] and 0 < have <= (known["length"] or have):
            return have - (have == known["length"]), known
    except (OSError, ValueError, KeyError, TypeError):
        pass
    target.unlink(missing_ok=True)
    return 0, {}


def _goes_on(response: Any, start: int, known: dict[str, Any]) -> bool:
    """Whether the answer is the rest of what is there; a server that knows no parts sends the whole."""
    if response.status_code in (200, 416):
        return False
    response.raise_for_status()
    told = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    if not told or int(told[1]) != start:
        return False
    return told[2] == "*" or int(told[2]) == known["length"]


def _receive(response: Any, url: str, target: Path) -> None:
    """Add the body of `response` to `target`, or begin it."""
    stated = response.headers.get("Content-Length", "")
    coming = int(stated) if stated.isdigit() else None
    start = 0
    if response.status_code == 206:
        start = int(response.headers["Content-Range"].split()[1].split("-")[0])
    else:
        target.unlink(missing_ok=True)
        _remember(url, response, coming, target)
    if coming is not None and shutil.disk_usage(target.parent).free < coming:
        raise no_room(start + coming, target.parent, "the disk is too small")
    chunks = track(response.iter_content(_CHUNK), coming and -(-coming // _CHUNK), f"fetching {shown(url)}")
    written = start
    # Unbuffered: what has come is in the file, even where this process is killed.
    with (
        open(target, "r+b" if start else "wb", buffering=0) as file,
        room_for(lambda: start + (coming or 0) or written, target.parent),
    ):
        file.seek(start)
        for chunk in chunks:
            _write_all(file, chunk)
            written += len(chunk)
    if coming is not None and written != start + coming:
        raise UnavailableError(f"{written:,} bytes came, not {start + coming:,}", passing=True)


def _write_all(file: Any, chunk: bytes) -> None:
    rest = memoryview(chunk)
    while rest:
        rest = rest[file.write(rest) :]  # a nearly full disk takes some


def _remember(url: str, response: Any, length: int | None, target: Path) -> None:
    """Note what begins to come. Only a strong ETag or a date can tell later whether it is still the same."""
    tag = response.headers.get("ETag", "")
    version = tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified", "")
    draft = _note(target).with_suffix(".draft")
    draft.write_text(json.dumps({"url": shown(url), "version": version, "length": length}), encoding="utf-8")
    os.replace(draft, _note(target))


def _note(target: Path) -> Path:
    return target.with_name(f"{target.name}.json")


def _pause_asked(error: Any) -> float | None:
    """The seconds of a `Retry-After`, which states them or a date."""
    response = getattr(error, "response", None)
    text = response.headers.get("Retry-After", "") if response is not None else ""
    if text.isdigit():
        return float(text)
    with suppress(ValueError, TypeError):
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """`error` and what it wraps, outermost first; urllib3 keeps some of its causes as arguments."""
    while error is not None:
        yield error
        inner = getattr(error, "reason", None) or next((a for a in error.args if isinstance(a, BaseException)), None)
        error = inner if isinstance(inner, BaseException) else error.__cause__ or error.__context__
