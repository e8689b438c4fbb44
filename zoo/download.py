"""Download: what an address answers becomes a file, or the reason why not in a few words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from zoo.disk import room_for
from zoo.progress import track

CONNECT_TIMEOUT = 10.0
READ_TIMEOUT = 60.0  # between two arrivals of bytes, not for the whole
_CHUNK = 1 << 16


class UnavailableError(Exception):
    """A source did not deliver; the message is what it answered."""


def download(url: str, target: Path) -> None:
    """Write what `url` answers to the new file `target`; redirects are followed.

    Raises UnavailableError with what the server answered, WeightsError where the disk is full.
    """
    import requests

    try:
        with requests.get(
            url,
            stream=True,
            timeout=(CONNECT_TIMEOUT, READ_TIMEOUT),
            headers={"Accept-Encoding": "identity"},
        ) as response:
            response.raise_for_status()
            stated = response.headers.get("Content-Length", "")
            length = int(stated) if stated.isdigit() else None
            _write(response.iter_content(_CHUNK), length, target, f"fetching {shown(url)}")
    except requests.RequestException as error:
        raise UnavailableError(reason(error)) from error


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
                return f"no connection within {CONNECT_TIMEOUT:g} s"
            case urllib3.exceptions.ReadTimeoutError():
                return f"nothing came for {READ_TIMEOUT:g} s"
            case urllib3.exceptions.IncompleteRead():
                return f"the connection broke after {cause.partial:,} bytes with {cause.expected:,} to come"
            case requests.TooManyRedirects():
                return "it redirects in a circle"
    return f"{type(error).__name__}: {causes[-1]}"


def _write(chunks: Iterator[bytes], length: int | None, target: Path, title: str) -> None:
    written = 0
    with target.open("xb") as file, room_for(lambda: length or written, target.parent):
        for chunk in track(chunks, length and -(-length // _CHUNK), title):
            file.write(chunk)
            written += len(chunk)
        file.flush()


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """`error` and what it wraps, outermost first; urllib3 keeps some of its causes as arguments."""
    while error is not None:
        yield error
        inner = getattr(error, "reason", None) or next((a for a in error.args if isinstance(a, BaseException)), None)
        error = inner if isinstance(inner, BaseException) else error.__cause__ or error.__context__
