"""The architecture in a Keras file: what it could do beside computing, and what Keras 3 can't read of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zoo.errors import WeightsError
from zoo.safety import HOW_TO_TRUST, trusts_code

# Layers that run code of the file's maker, or load another program from a path.
CODE = {"Lambda", "__lambda__", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"}
# Layers that may be told a file's path in place of their words.
READERS = {"StringLookup", "IntegerLookup", "TextVectorization"}
# What tokenizers take as a path as well; their presets keep them in files of their own.
PATHS = ("vocabulary", "merges", "proto")
# What a file may name by module: parts of networks, in Keras' own packages; nothing that saves, loads or fetches.
PACKAGES = ("keras_hub.src", "keras_hub", "keras.src", "keras")
FUNCTIONS = {"activations", "constraints", "initializers", "losses", "metrics", "ops", "random", "regularizers"}
CLASSES = FUNCTIONS | {"", "dtype_policies", "engine", "layers", "models", "optimizers", "quantizers", "tokenizers"}


def refuse_code(config: Any, file: Path, backbone: str, place: Path | None = None) -> None:
    """Raise WeightsError that names each layer of `config`, read from `file`, which does more than compute.

    place: what the user trusts or not, where that is the folder of the file.
    """
    if trusts_code(place or file):
        return
    found = sorted(set(_offences(config)))
    if found:
        raise WeightsError(
            f"backbone {backbone!r}: {str(file)!r} holds code beside its weights: {', '.join(found)}. It runs with "
            f"your rights; use it only if you trust who made it: {HOW_TO_TRUST}"
        )


def modernised(config: Any) -> Any:
    """`config` of a Keras 2 model as Keras 3 reads it; one that it reads already comes back equal.

    Keras 3 refuses the argument `groups` of DepthwiseConv2D, which Keras 2 wrote and did not use, and slashes in names
    of layers, which become underscores wherever a layer is named.
    """
    names = {name for name in _layer_names(config) if "/" in name}
    taken = set(_layer_names(config))
    renamed: dict[str, str] = {}
    for name in sorted(names):
        new = name.replace("/", "_")
        while new in taken:
            new += "_"
        taken.add(new)
        renamed[name] = new
    return _rewritten(config, renamed)


def _offences(part: Any) -> Iterator[str]:
    if isinstance(part, list):
        for one in part:
            yield from _offences(one)
    if not isinstance(part, dict):
        return
    kind, module = part.get("class_name"), part.get("module")
    inside = part.get("config")
    if kind in CODE:
        name = inside.get("name") if isinstance(inside, dict) else None
        yield f"layer {name!r} of class {kind!r}" if name else f"{kind!r}"
    elif kind in READERS and isinstance(inside, dict) and isinstance(inside.get("vocabulary"), str):
        yield f"layer {inside.get('name')!r} of class {kind!r}, which reads {inside['vocabulary']!r}"
    elif isinstance(inside, dict) and (named := next((key for key in PATHS if isinstance(inside.get(key), str)), "")):
        yield f"{named} from the file {inside[named]!r}"
    elif isinstance(kind, str) and isinstance(module, str) and not _known(part):
        yield f"{inside if kind == 'function' else kind!r} of module {module!r}"
    for one in part.values():
        yield from _offences(one)


def _known(part: dict[str, Any]) -> bool:
    """Whether what `part` names is a part of networks, or an object that this process registered with Keras itself."""
    module, kind = part["module"], part["class_name"]
    if module == "builtins":
        return kind != "function"
    for package in PACKAGES:
        if module == package or module.startswith(f"{package}."):
            room = module.removeprefix(package).removeprefix(".").split(".")[0]
            return room in (FUNCTIONS if kind == "function" else CLASSES)
    from zoo.framework import keras

    return keras.saving.get_registered_object(part.get("registered_name")) is not None


def _layer_names(part: Any) -> Iterator[str]:
    if isinstance(part, list):
        for one in part:
            yield from _layer_names(one)
    if isinstance(part, dict):
        inside = part.get("config")
        if isinstance(part.get("class_name"), str) and isinstance(inside, dict) and isinstance(inside.get("name"), str):
            yield inside["name"]
        for one in part.values():
            yield from _layer_names(one)


def _rewritten(part: Any, renamed: dict[str, str]) -> Any:
    if isinstance(part, str):
        return renamed.get(part, part)
    if isinstance(part, list):
        return [_rewritten(one, renamed) for one in part]
    if not isinstance(part, dict):
        return part
    result = {key: _rewritten(value, renamed) for key, value in part.items()}
    if result.get("class_name") == "DepthwiseConv2D" and isinstance(result.get("config"), dict):
        result["config"].pop("groups", None)
    return result
