"""Catalogues: backbones written as data, with no Python.

A catalogue is a TOML file with one `[[backbone]]` table a row, its fields those of `BackboneSpec`; an optional
`[defaults]` table is merged under every row. TOML has no null: a range that the publisher does not say is "unstated".
Users' own are named by `ZOO_CATALOG` (several, separated as in PATH) or lie as `*.toml` in the zoo's folder of the
user's configuration.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from zoo.errors import DuplicateNameError, OptionError, SpecError
from zoo.specs import BackboneSpec, TextInput, WeightsSpec


def read_catalog(path: str | os.PathLike[str]) -> list[BackboneSpec]:
    """The backbones of a catalogue file; raises SpecError that names the file, the row and the field.

    Relative `path` fields count from the file's folder.
    """
    file = Path(path)
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SpecError(f"catalogue {str(file)!r} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SpecError(f"catalogue {str(file)!r} is not valid TOML: {error}") from error
    unknown = sorted(set(content) - {"defaults", "backbone"})
    rows = content.get("backbone", [])
    if unknown or not isinstance(rows, list) or not rows:
        found = f"it has {', '.join(map(repr, unknown))}" if unknown else "it has none"
        raise SpecError(f"catalogue {str(file)!r} holds [[backbone]] tables and one [defaults] table; {found}")
    defaults = content.get("defaults", {})
    return [_spec(_merge(defaults, row), file, number) for number, row in enumerate(rows, start=1)]


def user_catalogs() -> list[Path]:
    """The user's own catalogue files, in the order in which they are read."""
    named = os.environ.get("ZOO_CATALOG", "")
    paths = [Path(part).expanduser() for part in named.split(os.pathsep) if part]
    return paths + sorted(config_folder().glob("*.toml"))


def config_folder() -> Path:
    """The zoo's folder of the user's configuration, by platform convention."""
    import platformdirs

    return Path(platformdirs.user_config_dir("zoo", appauthor=False))


def add_row(file: Path, row: dict[str, Any]) -> BackboneSpec:
    """Write a further row at the end of the catalogue `file`, which need not exist; whole or not at all.

    Raises SpecError where the catalogue would not be valid with it, DuplicateNameError where it has the name already,
    OptionError where it can't be written.
    """
    from filelock import FileLock

    from zoo.cache import cache_folder

    draft = file.with_name(f"{file.name}.{os.getpid()}")
    lock = cache_folder() / "locks" / "catalogue.lock"
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(lock):
            before = file.read_text(encoding="utf-8").rstrip() + "\n\n" if file.exists() else ""
            draft.write_text(before + row_text(row), encoding="utf-8")
            try:
                *others, added = read_catalog(draft)
            except SpecError as error:
                raise SpecError(str(error).replace(str(draft), str(file))) from error
            if any(added.name in (other.name, *other.aliases) for other in others):
                raise DuplicateNameError(
                    f"catalogue {str(file)!r} has a backbone {added.name!r} already; choose another"
                )
            draft.replace(file)
    except OSError as error:
        raise OptionError(f"the catalogue {str(file)!r} can't be written: {error.strerror}") from error
    finally:
        draft.unlink(missing_ok=True)
    return added


def row_text(row: Mapping[str, Any]) -> str:
    """A row as the TOML of a `[[backbone]]` table; what is None is left out, but for a range, which is "unstated"."""
    lines = ["[[backbone]]"]
    lines += [f"{key} = {_toml(value)}" for key, value in row.items() if key != "outputs"]
    for name, facts in row["outputs"].items():
        lines += ["", f"[backbone.outputs.{name}]", *(f"{key} = {_toml(value)}" for key, value in facts.items())]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        inside = {key: "unstated" if key == "range" and one is None else one for key, one in value.items()}
        pairs = (f"{key if key.isidentifier() else json.dumps(key)} = {_toml(one)}" for key, one in inside.items())
        return "{ " + ", ".join(pairs) + " }"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, ensure_ascii=False)  # strings, numbers and booleans are written alike in both


def _spec(row: dict[str, Any], file: Path, number: int) -> BackboneSpec:
    seen = row.get("input")
    if isinstance(seen, dict) and seen.get("range") == "unstated":  # TOML has no null
        row = row | {"input": seen | {"range": None}}
    try:
        spec = BackboneSpec.model_validate(row)
    except ValidationError as error:
        name = row.get("name", f"row {number}")
        raise SpecError(f"catalogue {str(file)!r}, backbone {name!r}, {fault(error)}") from error
    return anchored(spec, file.absolute().parent)


def fault(error: ValidationError) -> str:
    """The first field of a row that is wrong, and what is wrong with it."""
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"] if part not in ("image", "text"))
    kind, said = first["type"], first["msg"]
    if kind == "value_error":  # the zoo's own words
        said = str(first["ctx"]["error"])
    elif kind == "extra_forbidden":
        said = "there is no such field"
    elif kind == "missing":
        said = "is missing"
    elif kind == "union_tag_not_found":
        said = f"lacks {first['ctx']['discriminator']}"
    elif kind == "union_tag_invalid":
        said = f"kind is {first['ctx']['tag']!r}, not one of {first['ctx']['expected_tags']}"
    elif field == "name":
        said = f"{first['input']!r} is no name: letters, digits, '_', '.' and '-', a letter or digit first"
    else:
        said = said.removeprefix("Input ").removeprefix("String ").partition(", unable")[0]
        said = f"{first['input']!r} {said.replace('valid tuple', 'list').replace('valid integer', 'whole number')}"
    return f"field {field!r}: {said}"


def anchored(spec: BackboneSpec, folder: Path) -> BackboneSpec:
    """`spec` with relative weight paths made to count from `folder`."""

    def local(weights: WeightsSpec) -> WeightsSpec:
        path = weights.path
        if not path or path.startswith(("$", "~")) or os.path.isabs(path):
            return weights
        return weights.model_copy(update={"path": str(folder / path)})

    outputs = {name: facts.model_copy(update={"weights": local(facts.weights)}) for name, facts in spec.outputs.items()}
    text = spec.input
    if isinstance(text, TextInput) and text.preprocessor:
        text = text.model_copy(update={"preprocessor": local(text.preprocessor)})
    return spec.model_copy(update={"outputs": outputs, "input": text})


def _merge(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`over` laid on `under`, table by table."""
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = _merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged
