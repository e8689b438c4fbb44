"""Export: a model as files that run without the zoo, each checked against the model on real examples.

A runtime's plugin states in `RuntimeSpec.exports` which formats it writes, each by an `Exporter`.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.backbone import import_loader
from zoo.errors import MissingPackageError, OptionError, PairError
from zoo.export.check import Check, Exported, checked, real_examples
from zoo.export.exporter import Exporter
from zoo.export.scored import ScoredBackbone, network
from zoo.plugins import installed
from zoo.progress import busy
from zoo.runtime import missing_modules

if TYPE_CHECKING:
    from zoo.model import Model

SCORES = {"class": "probabilities that sum to 1", "classes": "a probability for each class by itself"}

__all__ = ["Check", "Exported", "Exporter", "export_model", "formats"]


def formats() -> dict[str, Any]:
    """The formats that the installed plugins can write, each with the spec of the runtime that brings it."""
    return {name: spec for spec in installed().runtimes for name in spec.exports}


def export_model(
    model: Model, out: str | os.PathLike[str], *, format: str = "saved_model", data: Any = None, **options: Any
) -> Exported:
    """Write `model` into the folder `out` in `format`, once it has answered as the model does on real examples.

    format: "saved_model" (pictures as JPEG or PNG bytes or as uint8 pixels, or texts, preprocessing inside), "onnx" or
        "litert" (prepared pixels; what that means stands in the JSON file beside it).
    data: the examples to check on, as `Model.evaluate` takes them with `options`; by default some of the dataset
        that judged the fit where that is at hand, else photographs or sentences that the zoo has.
    A folder that is there already keeps what it has. Raises OptionError where a file of that name is there, or the
    format is not known, PairError for a model that gives no class scores, ExportError where the answers differ.
    """
    exporter = _exporter(format)
    model._require_ready()
    if model.pair.output != "logits":
        raise PairError(f"{model.name!r} gives {model.pair.output!r}; what gives class scores ('logits') is exported")
    target = Path(out)
    taken = [name for name in exporter.files if (target / name).exists()]
    if taken or (target.exists() and not target.is_dir()):
        raise OptionError(
            f"{os.fspath(target / (taken or [''])[0])!r} exists already; remove it or name another folder"
        )
    sources = real_examples(model, data, options)
    with busy(f"exporting {model.name}"):
        draft = None
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            # Beside the target, so that the last step is a rename within one file system.
            draft = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
            exporter.write(ScoredBackbone(network(model), model.task.spec.targets), draft)
            checks = checked(model, exporter, draft, sources)
            facts = _facts(model, format, exporter, checks)
            (draft / exporter.facts).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
            _put(draft, target)
        except OSError as error:
            raise OptionError(f"{os.fspath(target)!r} can't be written: {error.strerror}") from error
        finally:
            if draft is not None:  # gone already where the target was not there
                shutil.rmtree(draft, ignore_errors=True)
    return Exported(target, format, checks)


def _exporter(format: str) -> Exporter:
    there = formats()
    if format not in there:
        raise OptionError(f"there is no format {format!r} to export to; there are {', '.join(map(repr, there))}")
    spec = there[format]
    if missing := missing_modules(spec):
        raise MissingPackageError(f"format {format!r} needs {', '.join(map(repr, missing))} ({spec.install})")
    made: Exporter = import_loader(spec.exports[format], f"format {format!r}")()
    return made


def _facts(model: Model, format: str, exporter: Exporter, checks: tuple[Check, ...]) -> dict[str, Any]:
    from zoo.weights import digest

    training = getattr(model, "training", None)
    return {
        "model": model.name,
        "format": format,
        "how": exporter.how(model.spec),
        "input": model.spec.input.model_dump(mode="json", exclude={"preprocessor"}),
        "scores": SCORES.get(model.task.spec.targets, "numbers"),
        "labels": list(model.labels.names.values()) if model.labels else None,
        "backbone": model.spec.name,
        "weights_sha256": digest(model.files("logits")["weights"]),
        "dataset": training and {"name": training.dataset, "fingerprint": training.fingerprint},
        "checks": [check.to_json() for check in checks],
    }


def _put(draft: Path, target: Path) -> None:
    """What `draft` holds as `target`, whole; beside what is there already, if it is there."""
    draft.chmod(0o755)
    if not target.exists():
        draft.rename(target)
        return
    placed: list[Path] = []
    try:
        for entry in sorted(draft.iterdir()):
            entry.rename(target / entry.name)
            placed.append(target / entry.name)
    except OSError:
        for entry in placed:
            shutil.rmtree(entry, ignore_errors=True) if entry.is_dir() else entry.unlink()
        raise
