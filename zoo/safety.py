"""Safe by default: weights are programs, and what they could do beside computing is refused before they are loaded.

Every op that loading or calling a SavedModel or a frozen graph may run is held against `zoo/safe_ops.txt` and
`zoo/text_ops.txt`: the ops of TensorFlow and tensorflow-text that touch no file, network or Python (written by
`python -m zoo.safety_ops`). The saver may read the checkpoint that it is told; a table may be filled from a file that
the model brings as its asset. Nothing is loaded, TensorFlow is not imported.
`ZOO_TRUST_CODE=1` lets everything pass, or names the files and folders that do, separated as in PATH.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from importlib.resources import files
from pathlib import Path, PurePosixPath

from zoo.cache import cache_folder
from zoo.errors import BackboneError, WeightsError
from zoo.programs import Node, Program
from zoo.protobuf import Fields, MalformedError, parsed

RULES = "2"  # of this module: verdicts by other rules are not asked
SWITCH = "ZOO_TRUST_CODE"
HOW_TO_TRUST = f"trust_code=True, --trust-code, or {SWITCH}=1"
_TABLES = {"InitializeTableFromTextFile": 1, "InitializeTableFromTextFileV2": 1}  # which input is the file's name
_OP_NAME = re.compile(r"[A-Z][A-Za-z0-9]*")


def refuse_code(path: Path) -> None:
    """Raise WeightsError that names all that the program at `path` would do beside computing.

    path: a SavedModel's folder or a frozen graph. One that passed is remembered by its SHA-256 in the cache, so that
    it costs the next load nothing. Raises BackboneError for a file that is cut or damaged.
    """
    if trusts_code(path):
        return
    file = path if path.is_file() else path / "saved_model.pb"
    content = file.read_bytes()
    mark = _mark(content)
    if mark.exists():
        return
    try:
        found = sorted({offence for program in _read(file, content) for offence in _offences(program)})
    except RecursionError as error:
        raise BackboneError(f"{str(file)!r} can't be loaded: its functions call each other without end") from error
    if found:
        raise WeightsError(
            f"{str(file)!r} does more than compute: {', '.join(found)}; it could read or write your files, call Python "
            f"or reach the network. Use it only if you trust who made it: {HOW_TO_TRUST}"
        )
    with suppress(OSError):  # where the cache can't be written, the next load looks again
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()


def trust(path: Path | None = None) -> None:
    """Let the code at `path`, or all code, pass from now on, in this process and in those that it starts."""
    if path is None:
        os.environ[SWITCH] = "1"
    elif not trusts_code(path):
        before = [part for part in os.environ.get(SWITCH, "").split(os.pathsep) if os.path.isabs(part)]
        os.environ[SWITCH] = os.pathsep.join([*before, str(path.absolute())])


def trusts_code(path: Path | None = None) -> bool:
    """Whether the user lets models run the code of their makers: all models, or the one at `path`."""
    named = os.environ.get(SWITCH, "")
    if named.lower() in ("", "0", "false", "no"):
        return False
    parts = [part for part in named.split(os.pathsep) if part]
    places = [part for part in parts if os.path.isabs(part)]
    return len(places) < len(parts) or (path is not None and str(path.absolute()) in places)


def ops_of(path: Path) -> set[str]:
    """The ops that loading or calling the SavedModel at `path` may run; raises BackboneError for a damaged file."""
    file = path / "saved_model.pb"
    return {node.op for program in _read(file, file.read_bytes()) for _, node in program.running()}


@cache
def text_ops() -> frozenset[str]:
    """The ops that tensorflow-text registers."""
    return _listed("text_ops.txt")


@cache
def _safe() -> frozenset[str]:
    return _listed("safe_ops.txt") | text_ops()


def _listed(file: str) -> frozenset[str]:
    return frozenset(files("zoo").joinpath(file).read_text(encoding="utf-8").split())


def _mark(content: bytes) -> Path:
    """The file that stands for "this content passed these rules"."""
    rules = hashlib.sha256(f"{RULES} {sorted(_safe())}".encode()).hexdigest()[:8]
    return cache_folder() / "safe" / f"{hashlib.sha256(content).hexdigest()}-{rules}"


def _read(file: Path, content: bytes) -> list[Program]:
    try:
        if file.name != "saved_model.pb":
            return [Program(Fields(memoryview(b"")), [parsed(content)])]
        return [Program(meta) for meta in parsed(content).many(2)]
    except (MalformedError, IndexError) as error:
        raise BackboneError(f"{str(file)!r} can't be loaded: it is cut or damaged ({error}); fetch it again") from error


def _offences(program: Program) -> Iterator[str]:
    for _, name in program.assets:
        if PurePosixPath(name).is_absolute() or ".." in name.replace("\\", "/").split("/"):
            yield f"asset {name!r} outside its folder"
    for where, node in program.running():
        if not _is_harmless(program, where, node):
            yield f"op {node.op!r}"


def _is_harmless(program: Program, where: str | None, node: Node) -> bool:
    if node.op == "XlaCallModule":  # compiled code, which may call back into Python
        return b"callback" not in b"".join(node.attribute("module").raw(2))
    if node.op in _safe():
        return True
    if node.op in program.functions:  # under an op's name, it may be that op that runs
        return not _OP_NAME.fullmatch(node.op)
    if node.op == "RestoreV2":
        return bool(node.inputs) and program.from_saver(where, node.inputs[0])
    place = _TABLES.get(node.op)
    return place is not None and len(node.inputs) > 1 and program.from_asset(where, node.inputs[place])
