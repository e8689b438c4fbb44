"""A KerasHub preset's folder: whether it is whole, and whether it is a network and no more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from zoo.errors import BackboneError
from zoo_keras.config import refuse_code

CONFIGURATIONS = (
    "config.json",
    "task.json",
    "preprocessor.json",
    "tokenizer.json",
    "image_converter.json",
    "audio_converter.json",
    "video_converter.json",
)
HDF5 = b"\x89HDF\r\n\x1a\n"


def checked_folder(folder: Path, backbone: str) -> str | None:
    """The name of the class that the preset was saved as a task of, None for a bare backbone.

    Raises BackboneError that names the file which is missing or cut, WeightsError for code in it.
    """
    start = f"backbone {backbone!r}: the KerasHub preset {str(folder)!r}"
    if not (folder / "config.json").is_file():
        raise BackboneError(f"{start} has no file 'config.json'; fetch it again")
    read = {name: _read(folder / name, start) for name in CONFIGURATIONS if (folder / name).is_file()}
    for name, config in read.items():
        refuse_code(config, folder / name, backbone, folder)
    for name in _weights(folder, start, "task.json" in read):
        file = folder / name
        if not file.is_file():
            raise BackboneError(f"{start} has no file {name!r}; fetch it again")
        with file.open("rb") as stream:
            if stream.read(len(HDF5)) != HDF5:
                raise BackboneError(f"{start}: {name!r} is no HDF5 file: it is cut or damaged; fetch it again")
    task = read.get("task.json", {}).get("class_name")
    return str(task) if task else None


def _weights(folder: Path, start: str, task: bool) -> list[str]:
    """The files of weights that the folder must have; a large preset has several, which an index lists."""
    index = folder / "model.weights.json"
    names = ["task.weights.h5"] if task and (folder / "task.weights.h5").exists() else []
    if (folder / "model.weights.h5").exists() or not index.is_file():
        return ["model.weights.h5", *names]
    parts = _read(index, start).get("weight_map", {}).values()
    return sorted({name for part in parts for name in (part if isinstance(part, list) else [part])}) + names


def _read(file: Path, start: str) -> Any:
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BackboneError(f"{start}: {file.name!r} can't be read: it is cut or damaged ({error})") from error
    if not isinstance(config, dict):
        raise BackboneError(f"{start}: {file.name!r} holds no configuration; fetch it again")
    return config
