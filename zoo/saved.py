"""Saved models: a folder with the facts (`model.json`) and the weights, complete in itself."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from zoo.catalog import anchored, fault
from zoo.errors import OptionError, WeightsError, reason
from zoo.specs import BackboneSpec, TextInput, WeightsSpec

SAVED_FACTS = "model.json"


def write_saved(
    target: Path,
    task: str,
    spec: BackboneSpec,
    files: Mapping[str, Mapping[str, Path]],
    more: Callable[[Path], Mapping[str, Any]] = lambda folder: {},
) -> Path:
    """Write `spec`, cut down to the outputs in `files`, with copies of those files by output and role; atomic.

    more: writes what else belongs to the model into the folder that it is given, and returns further facts.
    Raises OptionError where `target` exists already or can't be written.
    """
    if target.exists():
        raise OptionError(f"{str(target)!r} exists already; remove it or choose another name")
    draft = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # Beside the target, so that the last step is a rename within one file system.
        draft = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        facts = {"task": task, "backbone": _copied(spec, files, draft).model_dump(mode="json"), **more(draft)}
        (draft / SAVED_FACTS).write_text(json.dumps(facts, indent=1), encoding="utf-8")
        draft.chmod(0o755)
        draft.rename(target)
    except OSError as error:
        raise OptionError(f"a model can't be saved at {str(target)!r}: {error.strerror}") from error
    finally:
        if draft is not None:  # gone already where all went well
            shutil.rmtree(draft, ignore_errors=True)
    return target


def read_saved(folder: Path) -> tuple[str, BackboneSpec]:
    """The task and the backbone of a saved model; raises WeightsError for anything else."""
    file, facts = folder / SAVED_FACTS, saved_facts(folder)
    try:
        return facts["task"], anchored(BackboneSpec.model_validate(facts["backbone"]), folder.absolute())
    except ValidationError as error:
        raise WeightsError(f"{str(file)!r} can't be read as a saved model: {fault(error)}") from error
    except (KeyError, TypeError) as error:
        raise WeightsError(f"{str(file)!r} can't be read as a saved model: it lacks {error}") from error


def saved_facts(folder: Path) -> dict[str, Any]:
    """Everything that a saved model's file of facts says; raises WeightsError where there is none."""
    file = folder / SAVED_FACTS
    try:
        facts: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise WeightsError(f"{str(folder)!r} is no saved model: it has no {SAVED_FACTS!r}") from error
    except (OSError, ValueError) as error:
        raise WeightsError(f"{str(file)!r} can't be read as a saved model: {reason(error)}") from error
    return facts


def _copied(spec: BackboneSpec, files: Mapping[str, Mapping[str, Path]], folder: Path) -> BackboneSpec:
    outputs, text = {}, spec.input
    copies: dict[Path, str] = {}
    for name, roles in files.items():
        local = _local(spec.outputs[name].weights, roles["weights"], folder, name, copies)
        outputs[name] = spec.outputs[name].model_copy(update={"weights": local})
        if "preprocessor" in roles and isinstance(text, TextInput) and text.preprocessor:
            local = _local(text.preprocessor, roles["preprocessor"], folder, "preprocessor", copies)
            text = text.model_copy(update={"preprocessor": local})
    return spec.model_copy(update={"outputs": outputs, "input": text, "aliases": ()})


def _local(weights: WeightsSpec, source: Path, folder: Path, name: str, copies: dict[Path, str]) -> WeightsSpec:
    """`weights` as a copy of `source` under `folder`, the only one; a file keeps its suffix, which tells its format."""
    if source not in copies:
        copies[source] = f"weights/{name}" if source.is_dir() else f"weights/{name}{source.suffix}"
        copy = folder / copies[source]
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, copy)
        else:
            shutil.copyfile(source, copy)
    return weights.model_copy(update={"path": copies[source]})
