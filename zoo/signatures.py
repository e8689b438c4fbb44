"""What a SavedModel can be called with and what it gives back, read from its file without TensorFlow.

Field numbers: tensorflow/core/protobuf/{meta_graph,saved_object_graph,struct}.proto and framework/tensor_shape.proto.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import BackboneError
from zoo.protobuf import Fields, MalformedError, parsed

CALL = "__call__"
# The names of `DataType` in framework/types.proto, as NumPy has them.
_DTYPES = dict(
    enumerate(
        ["float32", "float64", "int32", "uint8", "int16", "int8", "string", "complex64", "int64", "bool"], start=1
    )
)
_DTYPES |= {14: "bfloat16", 17: "uint16", 19: "float16", 22: "uint32", 23: "uint64"}
_LEAF, _LIST, _TUPLE, _DICT, _NAMED_TUPLE = 33, 51, 52, 53, 54


@dataclass(frozen=True)
class Tensor:
    """One tensor. name: the keyword or dict key, "" where it has none; shape: None for any, None in it for any size."""

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None

    def __str__(self) -> str:
        sides = "of any shape" if self.shape is None else str(["n" if side is None else side for side in self.shape])
        return f"{self.name or 'tensor'}: {self.dtype} {sides}".replace("'", "")


@dataclass(frozen=True)
class Signature:
    """One way to call a module. name: `__call__`, or that of a signature; returns: "tensor", "dict", "tuple", "list".

    Flags such as `training` are no inputs.
    """

    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    returns: str

    def __str__(self) -> str:
        given, got = ("; ".join(map(str, side)) for side in (self.inputs, self.outputs))
        return f"{given} -> {self.returns if self.returns != 'tensor' else ''} {got}".replace("->  ", "-> ")


@dataclass(frozen=True)
class SavedModel:
    """What the file says. version: of the TensorFlow that wrote it; first_version: whether it is one of TensorFlow 1.

    signatures: by name; the module's own call first, where it can be called.
    parameters: the sizes of its variables added up, None where the file does not tell them.
    """

    version: str
    first_version: bool
    signatures: dict[str, Signature]
    parameters: int | None


def read_signatures(folder: Path) -> SavedModel:
    """What the SavedModel in `folder` says of itself; raises BackboneError for a file that is absent or damaged."""
    file = folder / "saved_model.pb"
    try:
        metas = parsed(file.read_bytes()).many(2)
        meta = next((meta for meta in metas if "serve" in _tags(meta)), metas[0])
        objects = meta.one(7)
        nodes = objects.many(1)
        functions = {entry.text(1): entry.one(2) for entry in objects.many(2)}
        calls = _calls(nodes, functions)
        named = {entry.text(1): _signature(entry.text(1), entry.one(2)) for entry in meta.many(5)}
        named.pop("__saved_model_init_op", None)
        variables = [node.one(7) for node in nodes if node.raw(7)]
        sizes = [_count(variable) for variable in variables if variable.text(6) != "save_counter"]
        known = [size for size in sizes if size is not None]
        return SavedModel(
            meta.one(1).text(5),
            not nodes,
            calls | dict(sorted(named.items(), key=lambda entry: entry[0] != "serving_default")),
            sum(known) if known else None,
        )
    except FileNotFoundError as error:
        raise BackboneError(f"{str(folder)!r} holds no SavedModel: there is no {file.name!r} in it") from error
    except (OSError, MalformedError, IndexError) as error:
        raise BackboneError(f"{str(file)!r} can't be read: it is cut or damaged ({error}); fetch it again") from error


def _tags(meta: Fields) -> list[str]:
    return [bytes(tag).decode("utf-8", "replace") for tag in meta.one(1).raw(4)]


def _calls(nodes: list[Fields], functions: dict[str, Fields]) -> dict[str, Signature]:
    """The call of the root object, in the form that has the fewest flags set: inference."""
    children = nodes[0].many(1) if nodes else []
    for child in children:
        number = next(iter(child.numbers(1)), 0)
        if child.text(2) != CALL or number >= len(nodes):
            continue
        names = [bytes(name).decode("utf-8", "replace") for name in nodes[number].one(6).raw(1)]
        forms = [functions[name] for name in names if name in functions]
        if forms:
            best = min(forms, key=lambda form: sum(_flags(form.one(3))))
            inputs = tuple(tensor for tensor in _tensors(best.one(3)) if tensor.dtype != "bool")
            outputs = best.one(4)
            return {CALL: Signature(CALL, inputs, tuple(_tensors(outputs)), _form(outputs))}
    return {}


def _signature(name: str, fields: Fields) -> Signature:
    sides = []
    for side in (1, 2):
        entries = ((entry.text(1), entry.one(2)) for entry in fields.many(side))
        sides.append(tuple(Tensor(key, _dtype(info.numbers(2)), _shape(info, 3)) for key, info in entries))
    return Signature(name, tuple(sorted(sides[0], key=str)), tuple(sorted(sides[1], key=str)), "dict")


def _tensors(value: Fields, name: str = "") -> Iterator[Tensor]:
    """The tensors in a `StructuredValue`, each with the key that it stands under."""
    for leaf in value.many(_LEAF):
        own = "" if leaf.text(1) == "unknown" else leaf.text(1)  # what TensorFlow writes for a result without a name
        yield Tensor(name or own, _dtype(leaf.numbers(3)), _shape(leaf, 2))
    for group in (_LIST, _TUPLE):
        for values in value.many(group):
            for one in values.many(1):
                yield from _tensors(one)
    for entries, place in ((value.many(_DICT), 1), (value.many(_NAMED_TUPLE), 2)):
        for table in entries:
            for entry in table.many(place):
                yield from _tensors(entry.one(2), entry.text(1))


def _flags(value: Fields) -> Iterator[int]:
    """The booleans in a `StructuredValue`."""
    yield from value.numbers(14)
    for group in (_LIST, _TUPLE):
        for values in value.many(group):
            for one in values.many(1):
                yield from _flags(one)
    for table in value.many(_DICT):
        for entry in table.many(1):
            yield from _flags(entry.one(2))


def _form(value: Fields) -> str:
    forms = {_LIST: "list", _TUPLE: "tuple", _DICT: "dict", _NAMED_TUPLE: "dict"}
    return next((form for number, form in forms.items() if value.raw(number)), "tensor")


def _dtype(numbers: list[int]) -> str:
    return _DTYPES.get(numbers[-1] if numbers else 0, "unknown")


def _shape(fields: Fields, number: int) -> tuple[int | None, ...] | None:
    """A `TensorShapeProto`; its sizes are signed, and below 0 for any."""
    if not fields.raw(number) or fields.one(number).numbers(3):
        return None
    sizes = [next(iter(side.numbers(1)), 0) for side in fields.one(number).many(2)]
    return tuple(None if size >= 1 << 63 else size for size in sizes)


def _count(variable: Fields) -> int | None:
    shape = _shape(variable, 2)
    if shape is None or None in shape:
        return None
    product = 1
    for size in shape:
        product *= size or 0
    return product
