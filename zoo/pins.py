"""Pins: a lock file states the digest that the weights of a handle must have, so that a changed remote is noticed.

`ZOO_LOCK` names the file, else it is `zoo.lock` in the current folder, where there is one; `zoo pull --lock FILE`
writes it, for the project's repository. The digest is `zoo.weights.digest`'s: of names and contents, whatever archive,
mirror or cache they came from.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

from zoo.errors import OptionError, WeightsError, reason

USUAL = "zoo.lock"
_VERSION = 1


def lock_file() -> Path | None:
    """The lock file that counts here, or None; raises WeightsError where `ZOO_LOCK` names one that is not there."""
    named = os.environ.get("ZOO_LOCK")
    file = Path(named).expanduser().absolute() if named else Path(USUAL).absolute()
    if file.is_file():
        return file
    if named:
        raise WeightsError(
            f"ZOO_LOCK names {str(file)!r}, and there is no such file; "
            "unset it, or write the file with 'zoo pull --lock FILE NAME...'"
        )
    return None


def pinned(file: Path | None = None) -> dict[str, str]:
    """Handle -> digest, of `file` or of the lock file that counts here; raises WeightsError for a malformed one."""
    file = file or lock_file()
    if file is None:
        return {}
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        weights = dict(told["weights"])
    except OSError as error:
        raise WeightsError(f"the lock file {str(file)!r} can't be read: {reason(error)}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"the lock file {str(file)!r} can't be read: {type(error).__name__}: {error}") from error
    if told.get("version") != _VERSION:
        raise WeightsError(
            f"the lock file {str(file)!r} has version {told.get('version')!r}; this zoo knows {_VERSION}"
        )
    for handle, digest in weights.items():
        if not isinstance(digest, str) or not re.fullmatch("[0-9a-f]{64}", digest):
            raise WeightsError(f"the lock file {str(file)!r} pins {handle!r} to {digest!r}, which is no SHA-256 in hex")
    return weights


def check(handle: str, found: str, where: str) -> None:
    """Raise WeightsError where `handle` is pinned to another digest than the one `found` in `where`."""
    wanted = pinned().get(handle, found)
    if found != wanted:
        raise WeightsError(
            f"{handle!r} is pinned to digest {wanted} by {str(lock_file())!r}, and {where} has another: {found}; "
            "its publisher has changed it, or somebody else has. Ask which, then take the new one with "
            "'zoo pull --update-lock NAME', or get the old one (a mirror, 'zoo cache import', weights=)"
        )


def write(file: Path, weights: Mapping[str, str]) -> None:
    """Write `file` anew, whole or not at all; raises OptionError where it can't be written."""
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    text = json.dumps({"version": _VERSION, "weights": dict(sorted(weights.items()))}, indent=1, ensure_ascii=False)
    try:
        draft.write_text(f"{text}\n", encoding="utf-8")
        draft.replace(file)
    except OSError as error:
        raise OptionError(f"the lock file {str(file)!r} can't be written: {error.strerror}") from error
    finally:
        draft.unlink(missing_ok=True)
