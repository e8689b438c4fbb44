"""Features, once: each example passes the backbone a single time, and what comes out is kept on disk.

CACHE/features/KEY/features.npy     float32 [n, d], or [n, h, w, d] of maps, a row for each example in order
CACHE/features/KEY/facts.json       n, and what could not be read
CACHE/features/KEY.draft/...        what is being written, and how far: a killed run is taken up there

The key holds the digests of the weights, the preprocessing, the runtime and the data's fingerprint: never stale.
`ZOO_FEATURES_GB` bounds them all together (10 by default); the longest unused go first. `ZOO_FEATURES` moves them, and
them alone, from CACHE/features.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo.backbone import load_backbone
from zoo.batches import Answered
from zoo.cache import cache_folder
from zoo.conversion import conversion_key
from zoo.dataset import Dataset
from zoo.errors import BackboneError, DatasetError, OptionError, WeightsError, reason
from zoo.inputs import Prepared
from zoo.model import Model
from zoo.progress import track
from zoo.runtime import Array, able_runtime
from zoo.task import Failed
from zoo.transfer.targets import target_array

FACTS, FEATURES, DONE = "facts.json", "features.npy", "done.json"
MAPS = "feature_maps"
LIMIT_GB = 10.0
MAX_UNREADABLE = 0.1  # of the examples
NAMED = 3  # unreadable examples that an error names
KEEP_EVERY = 2.0  # seconds of work that a killed run loses at most


@dataclass(frozen=True)
class Extracted:
    """What a dataset became. features: float32 [n, d], or [n, h, w, d] of feature maps, read from disk as needed;
    targets: as `zoo.transfer.targets.target_array` has them.

    ids: what messages call the n examples; failed: the examples that could not be read, which are not among the n.
    """

    features: Array
    targets: Array
    ids: tuple[str, ...]
    failed: tuple[Failed, ...]


def extract(
    model: Model,
    dataset: Dataset,
    *,
    batch_size: int = 32,
    max_unreadable: int | float = MAX_UNREADABLE,
    output: str = "features",
) -> Extracted:
    """The features of every example of `dataset`; from the cache where they were computed before.

    output: "features", or "feature_maps".
    max_unreadable: of so many examples, or of so large a share of them, it is no matter that they can't be read.
    Raises DatasetError where no example could be read, or too many could not, WeightsError where the cache
    can't be written.
    """
    from filelock import FileLock

    folder = _folder() / _key(model, dataset, output)
    draft = folder.with_name(f"{folder.name}.draft")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(_lock(folder)):
            if not folder.is_dir() or not _whole(folder, len(dataset)):
                shutil.rmtree(folder, ignore_errors=True)
                _write(model, dataset, output, draft, batch_size)
                draft.replace(folder)
            os.utime(folder)  # used just now
            _prune(folder)
            found = _read(folder, dataset)
    except OSError as error:
        raise WeightsError(
            f"the cache {str(_folder())!r} can't be written: {reason(error)}; ZOO_FEATURES moves it"
        ) from error
    require_readable(found.failed, dataset, max_unreadable)
    return found


def kept(model: Model, dataset: Dataset, output: str) -> bool:
    """Whether the cache has the features of `dataset` by `model` already."""
    return _whole(_folder() / _key(model, dataset, output), len(dataset))


def require_readable(failed: Sequence[Failed], dataset: Dataset, limit: int | float) -> None:
    """Raise DatasetError where more of `dataset` than `limit`, a number or a share, could not be read."""
    if limit < 0 or (isinstance(limit, float) and limit > 1):
        raise OptionError(f"max_unreadable={limit!r} means nothing; it is a number of examples, or a share in 0..1")
    if len(failed) > (limit * len(dataset) if isinstance(limit, float) else limit):
        named = "; ".join(str(one.error) for one in failed[:NAMED])
        more = f"; and {len(failed) - NAMED} more" if len(failed) > NAMED else ""
        raise DatasetError(
            f"{len(failed)} of {len(dataset)} examples of {dataset.name!r} can't be read, more than "
            f"max_unreadable={limit!r} allows: {named}{more}"
        )


def _folder() -> Path:
    named = os.environ.get("ZOO_FEATURES")
    return Path(named) if named else cache_folder() / "features"


def _lock(folder: Path) -> Path:
    """Whoever holds it writes, reads or removes `folder` and its draft."""
    return folder.with_name(f"{folder.name.removesuffix('.draft')}.lock")


def _key(model: Model, dataset: Dataset, output: str) -> str:
    backbone = load_backbone(model.stated, output, model.files(output))
    runtime = able_runtime(backbone, model.runtime, named=model.named)  # before it is compiled and after
    form = f"{runtime.spec.name}-{model.precision}"
    return f"{conversion_key(backbone, form)}-{dataset.fingerprint()[:16]}"


def _write(model: Model, dataset: Dataset, output: str, draft: Path, batch_size: int) -> None:
    """Fill `draft` from where an earlier process left off; batch by batch, so that memory stays flat."""
    done, failed = _progress(draft)
    draft.mkdir(exist_ok=True)
    table: Any = np.load(draft / FEATURES, mmap_mode="r+") if done else None
    kept = time.monotonic()
    sources = (model.task.inputs(example)[0] for example in itertools.islice(dataset, done, None))
    with closing(_tracked(model, sources, output, len(dataset) - done, batch_size)) as stream:
        for group, outputs in stream:
            rows = iter(outputs.get(output, ()))
            if table is None and outputs:
                shape = _shape(model, output, outputs[output])
                table = np.lib.format.open_memmap(draft / FEATURES, "w+", np.float32, (len(dataset), *shape))
            for item in group:
                if isinstance(item, Prepared):
                    table[done] = next(rows)
                else:
                    failed.append({"index": done, "input": Failed.of(item).input, "error": str(item)})
                done += 1
            if table is not None and time.monotonic() - kept > KEEP_EVERY:
                table.flush()
                _put(draft / DONE, {"done": done, "failed": failed})
                kept = time.monotonic()
    if table is None:
        shutil.rmtree(draft, ignore_errors=True)
        why = f"; the first: {failed[0]['error']}" if failed else ""
        raise DatasetError(f"no example of {dataset.name!r} could be read ({len(failed)} failed){why}")
    table.flush()
    _put(draft / DONE, {"done": done, "failed": failed})  # so that who is killed here has lost nothing
    _put(draft / FACTS, {"failed": failed, "backbone": model.spec.name, "dataset": dataset.name})


def _shape(model: Model, output: str, found: Array) -> tuple[int, ...]:
    """What an example's row has, (d,), or (h, w, d) of maps; raises BackboneError where `found` are none such."""
    if found.ndim != (4 if output == MAPS else 2):
        raise BackboneError(
            f"backbone {model.spec.name!r} gave {output!r} of the form {list(found.shape)}; "
            f"{'maps are [n, height, width, channels]' if output == MAPS else 'they are [n, width]'}"
        )
    return tuple(found.shape[1:])


def _tracked(
    model: Model, sources: Iterator[Any], output: str, total: int, batch_size: int
) -> Generator[Answered, None, None]:
    """`model.outputs`, with a bar that counts examples."""
    with closing(model.outputs(sources, output, batch_size)) as stream:
        batches = -(-total // (model.spec.input.batch or batch_size))
        yield from track(stream, batches, f"{output.replace('_', ' ')} of {model.spec.name}")


def _progress(draft: Path) -> tuple[int, list[dict[str, Any]]]:
    try:
        told = json.loads((draft / DONE).read_text(encoding="utf-8"))
        return int(told["done"]), list(told["failed"])
    except (OSError, ValueError, KeyError, TypeError):
        shutil.rmtree(draft, ignore_errors=True)
        return 0, []


def _put(file: Path, facts: dict[str, Any]) -> None:
    draft = file.with_suffix(".part")
    draft.write_text(json.dumps(facts), encoding="utf-8")
    draft.replace(file)


def _whole(folder: Path, total: int) -> bool:
    """Whether `folder` has what it should: not where a disk was full, or somebody removed a file by hand."""
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        return isinstance(facts["failed"], list) and len(np.load(folder / FEATURES, mmap_mode="r")) == total
    except (OSError, ValueError, KeyError, TypeError, EOFError):
        return False


def _read(folder: Path, dataset: Dataset) -> Extracted:
    facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    table = np.load(folder / FEATURES, mmap_mode="r")
    gone = {int(row["index"]) for row in facts["failed"]}
    kept = [(place, example.id, example.target) for place, example in enumerate(dataset) if place not in gone]
    places, ids, targets = zip(*kept, strict=True)  # not the inputs: they need not fit into memory
    return Extracted(
        table if not gone else table[list(places)],
        target_array(dataset, targets),
        ids,
        tuple(Failed(row["input"], DatasetError(row["error"])) for row in facts["failed"]),
    )


def _prune(kept: Path) -> None:
    """Remove the longest unused features until all together are within the limit, and what killed runs began with them;
    never those just made, nor what another process is at.
    """
    from filelock import FileLock, Timeout

    named = os.environ.get("ZOO_FEATURES_GB", "")
    try:
        limit = (float(named) if named else LIMIT_GB) * 1e9
    except ValueError as error:
        raise OptionError(f"ZOO_FEATURES_GB={named!r} is no number of gigabytes") from error
    sizes = {entry: _size(entry) for entry in kept.parent.iterdir() if entry.is_dir()}
    for entry in sorted(sizes, key=_time):
        if sum(sizes.values()) <= limit:
            return
        if _lock(entry) == _lock(kept):
            continue
        with suppress(Timeout, OSError), FileLock(_lock(entry), timeout=0):
            shutil.rmtree(entry, ignore_errors=True)
            sizes[entry] = 0


def _size(folder: Path) -> int:
    """The bytes in `folder`; files that another process takes away meanwhile count for nothing."""
    found = 0
    with suppress(OSError):
        for file in folder.iterdir():
            with suppress(OSError):
                found += file.stat().st_size
    return found


def _time(folder: Path) -> float:
    with suppress(OSError):
        return folder.stat().st_mtime
    return 0.0
