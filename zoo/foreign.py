"""Foreign caches: what tensorflow_hub, kagglehub and Keras have fetched before is read where it lies.

TFHUB_CACHE_DIR/SHA-1 OF THE HANDLE/...                              tensorflow_hub, where it is set
KAGGLEHUB_CACHE/models/OWNER/MODEL/FRAMEWORK/VARIATION/VERSION/...   kagglehub, else ~/.cache/kagglehub
KERAS_HOME/models/NAME                                               Keras, else ~/.keras; held to a stated digest
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from zoo.cache import cache_folder
from zoo.disk import file_digest
from zoo.specs import WeightsSpec


def caches() -> dict[str, Path]:
    """The foreign caches that there are, by the library that they belong to."""
    named = {"tensorflow_hub": _tfhub(), "kagglehub": _kagglehub(), "Keras": _keras()}
    return {library: folder for library, folder in named.items() if folder and folder.is_dir()}


def copies(weights: WeightsSpec) -> Iterator[Path]:
    """The whole copies of `weights` in foreign caches; nothing is written there."""
    if weights.tfhub and (hub := _tfhub()):
        folder = hub / hashlib.sha1(weights.tfhub.encode()).hexdigest()
        if (folder / "saved_model.pb").is_file():  # it is renamed to this name when it is whole
            yield folder
    if weights.kaggle:
        yield from _of_kagglehub(weights.kaggle)
    if weights.url and (weights.sha256 or weights.md5):
        name = weights.url.rpartition("/")[2]
        for own in dict.fromkeys((name, name.lower().replace("-", "_"))):  # NASNet-mobile.h5 is nasnet_mobile.h5 there
            file = _keras() / "models" / own
            if file.is_file() and _is_right(file, weights):
                yield file


def _of_kagglehub(handle: str) -> Iterator[Path]:
    *parts, framework, variation, version = handle.split("/")
    owner = _kagglehub().joinpath("models", *parts)
    for folder in owner.iterdir() if owner.is_dir() else ():
        if folder.name.lower() != framework.lower():  # people write TensorFlow2 and tensorFlow2
            continue
        found = folder / variation / version
        if found.is_dir() and (folder / variation / f"{version}.complete").exists():
            yield found


def _is_right(file: Path, weights: WeightsSpec) -> bool:
    """Whether `file` has the digests that its publisher states; one that had them is read again when it changes."""
    stat = file.stat()
    facts = (str(file), stat.st_size, stat.st_mtime_ns, weights.sha256, weights.md5)
    mark = cache_folder() / "foreign" / hashlib.sha256(repr(facts).encode()).hexdigest()
    if mark.exists():
        return True
    stated = {"sha256": weights.sha256, "md5": weights.md5}
    if any(digest and file_digest(file, name) != digest.lower() for name, digest in stated.items()):
        return False
    with suppress(OSError):  # where the cache can't be written, the next load reads it again
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
    return True


def _tfhub() -> Path | None:
    # Without the variable it is a folder in the system's temporary one, where others may write.
    named = os.environ.get("TFHUB_CACHE_DIR")
    return Path(named).expanduser().absolute() if named else None


def _kagglehub() -> Path:
    return _home("KAGGLEHUB_CACHE", "~/.cache/kagglehub")


def _keras() -> Path:
    return _home("KERAS_HOME", "~/.keras")


def _home(variable: str, usual: str) -> Path:
    named = os.environ.get(variable) or usual
    try:
        return Path(named).expanduser().absolute()
    except RuntimeError:  # no home folder is known
        return Path(named)
