"""Weights: a handle becomes a verified local path, by an explicit path, a mirror, the cache or a download.

`ZOO_CACHE` moves the cache; `ZOO_MIRROR` names a mirror; `ZOO_OFFLINE=1` forbids the network; a lock file pins what a
handle must deliver (`zoo.pins`). What tensorflow_hub, kagglehub or Keras fetched before is read in place.
"""

from __future__ import annotations

import hashlib
import os
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from zoo import foreign, pins
from zoo.cache import Entry, cache_folder, known_digests, manifest
from zoo.disk import files_of, refuse_pointers
from zoo.errors import ArchiveError, DownloadError, WeightsError, ZooWarning
from zoo.patience import UnavailableError
from zoo.sources import Source, mirrored, published
from zoo.specs import BackboneSpec, WeightsSpec

__all__ = ["at_hand", "cache_folder", "digest", "fetch", "fetch_again", "offline", "size"]

_VARIABLE = re.compile(r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})")


def fetch(weights: WeightsSpec, *, wanted_by: str, held: bool = True) -> Path:
    """The local folder or file of `weights`: its path, a mirror, a cache, else a download into the zoo's cache.

    Raises WeightsError or DownloadError that names `wanted_by`; the latter lists what each source answered, a damaged
    or hostile archive included. The former also where a lock file pins another digest than what was found, unless
    `held` is false.
    """
    try:
        return _explicit(weights.path) if weights.path else _fetched(weights, held)
    except WeightsError as error:
        raise type(error)(f"{wanted_by}: {error}") from error
    except OSError as error:
        raise WeightsError(f"{wanted_by}: {error.filename!r} can't be read: {error.strerror}") from error


def chosen(spec: BackboneSpec, output: str, own: Mapping[str, str | os.PathLike[str]]) -> WeightsSpec:
    """Where the weights behind `output` lie: in the user's `own` file by output, else where the spec says.

    Of outputs that are published in the same file, the user's stands in for it whichever of them it was given for.
    """
    named = spec.outputs[output].weights
    same = [name for name, facts in spec.outputs.items() if named.handles and facts.weights == named]
    path = next((own[name] for name in (output, *same) if own.get(name)), None)
    return WeightsSpec(path=os.fspath(path)) if path else named


def fetch_again(entry: Entry) -> Path:
    """Fetch anew what `entry` holds, from where it was to be fetched; until that has come the old stays.

    Raises WeightsError where its manifest does not say from where, or its mirror is no longer set.
    """
    try:
        places = WeightsSpec(**manifest(entry.folder)["places"])
        sources = next(sources for other, sources in _places(places) if other == entry)
    except (OSError, ValueError, KeyError, TypeError, StopIteration, WeightsError) as error:
        raise WeightsError(
            f"nothing here says from where {entry.address!r} is to be fetched (a mirror that is not set any more?); "
            "remove it with 'zoo cache prune', and the next use fetches it"
        ) from error
    answers: list[str] = []
    return _delivered(entry, sources, places, answers, anew=True) or _give_up(places, answers)


def at_hand(weights: WeightsSpec) -> Path | None:
    """Where `weights` lie already, or None; never touches the network and creates nothing."""
    try:
        if weights.path:
            return _explicit(weights.path)
        found = next((path for place in _places(weights) if (path := _present(*place))), None)
        return found or _foreign(weights)
    except (WeightsError, OSError):
        return None


def digest(path: Path) -> str:
    """A SHA-256 over the names and contents of the files under `path` (or of that file).

    The files of a folder count in order of their names, each as `SHA-256  NAME` and a zero byte (`sha256sum -z`).
    Raises WeightsError where there is no `path`.
    """
    known = known_digests(path)
    if path.is_file():
        return known[path.name]
    lines = (f"{known[name]}  {name}\0" for name in sorted(known))
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def size(path: Path) -> int:
    """The bytes of the files under `path` (or of that file); raises WeightsError where there is no `path`."""
    return sum(file.stat().st_size for file in files_of(path).values())


def offline() -> bool:
    """Whether `ZOO_OFFLINE` forbids the network."""
    return os.environ.get("ZOO_OFFLINE", "").lower() not in ("", "0", "false", "no")


def _explicit(text: str) -> Path:
    path = Path(text).absolute() if os.path.lexists(text) else _expanded(text)
    if not path.exists():
        meant = "" if str(path) == text else f" (from {text!r})"
        raise WeightsError(
            f"there is no file or folder {str(path)!r}{meant}; correct it, or give your own with weights="
        )
    refuse_pointers(path)
    return path


def _expanded(text: str) -> Path:
    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if not os.environ.get(name):
            raise WeightsError(
                f"the path {text!r} needs the environment variable {name!r}, which is not set; set it, or give your "
                "own files with weights="
            )
        return os.environ[name]

    expanded = _VARIABLE.sub(value, text)
    try:
        return Path(expanded).expanduser().absolute()
    except RuntimeError as error:
        raise WeightsError(f"the home folder in {text!r} is not known ({error}); write the path in full") from error


def _fetched(weights: WeightsSpec, held: bool) -> Path:
    answers: list[str] = []
    for entry, sources in _places(weights):
        path = _present(entry, sources)
        if not path and entry.address == weights.handles[0]:  # no mirror has it, nor the zoo's own cache
            path = _foreign(weights)
        if path:
            _hold(weights, path, str(path), held)
            entry.use()
            return path
        if path := _delivered(entry, sources, weights, answers, held=held):
            return path
    return _give_up(weights, answers)


def _foreign(weights: WeightsSpec) -> Path | None:
    path = next(foreign.copies(weights), None)
    if path:
        refuse_pointers(path)
    return path


def _hold(weights: WeightsSpec, path: Path, where: str, held: bool) -> None:
    """Raise WeightsError where a lock file pins something else than lies at `path`."""
    if held and weights.handles[0] in pins.pinned():
        pins.check(weights.handles[0], digest(path), where)


def _give_up(weights: WeightsSpec, answers: list[str]) -> NoReturn:
    way_out = "unset ZOO_OFFLINE" if offline() else "check the network"
    raise DownloadError(
        f"no source delivered {weights.handles[0]!r}, and the cache {str(cache_folder())!r} has no whole copy of it:\n"
        + "".join(f"  {answer}\n" for answer in answers)
        + f"{way_out}, set ZOO_MIRROR to a folder or an address that has it, or give your own files with weights="
    )


def _places(weights: WeightsSpec) -> list[tuple[Entry, list[Source]]]:
    """Entries of the cache in the order in which they count, each with the sources that can fill it.

    A mirror's files have entries of their own: whoever sets a mirror gets what it holds, not what came from elsewhere.
    """
    if not weights.handles:
        raise WeightsError("the spec names no place for the weights; give your own files with weights=")
    mirrors = [(Entry(source.address), [source]) for source in mirrored(weights)]
    return [*mirrors, (Entry(weights.handles[0]), published(weights))]


def _present(entry: Entry, sources: list[Source]) -> Path | None:
    in_place = sources[0].in_place
    if in_place:
        refuse_pointers(in_place)
    return in_place or entry.path()


def _delivered(
    entry: Entry, sources: list[Source], weights: WeightsSpec, answers: list[str], anew: bool = False, held: bool = True
) -> Path | None:
    """What the first source that can writes into the cache; what the others answered is added to `answers`."""
    if damage := entry.damage():
        answers.append(f"{entry.folder}: {damage}")
    asked = [source for source in sources if source.local or not offline()]
    answers += [f"{source.address}: not asked, ZOO_OFFLINE forbids it" for source in sources if source not in asked]
    if not asked:
        return None
    with entry.locked():
        if not anew and (path := entry.path()):  # another process was faster
            _hold(weights, path, str(path), held)
            return path
        for source in asked:
            try:
                return _written(entry, source, weights, held)
            except (UnavailableError, ArchiveError) as answer:  # the next source may have it whole
                answers.append(f"{source.address}: {answer}")
    return None


def _written(entry: Entry, source: Source, weights: WeightsSpec, held: bool) -> Path:
    """What `source` delivers, as the entry; raises WeightsError where a lock file pins something else."""
    before = _known(entry)

    def deliver(folder: Path) -> Path:
        path = source.deliver(folder, entry.parts)
        _hold(weights, path, source.address, held)
        return path

    path = entry.write(source.address, deliver, weights.model_dump(exclude_none=True))
    if before and before != (now := known_digests(path)):
        names = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
        warnings.warn(
            f"{source.address} delivers something else than it did before: {', '.join(names[:5])} changed; "
            "a lock file ('zoo pull --lock FILE') would stop here",
            ZooWarning,
            stacklevel=2,
        )
    return path


def _known(entry: Entry) -> dict[str, str]:
    """The digests that the entry's manifest states, be its files damaged or not."""
    try:
        return {name: str(facts["sha256"]) for name, facts in manifest(entry.folder)["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
