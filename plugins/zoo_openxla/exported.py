"""StableHLO as a `jax.export.Exported`: the one place that knows the fields of that class.

JAX promises the class and not its fields, so its version is pinned (extra `openxla`) and a test holds the round trip.
What `write` leaves in a folder needs nothing but JAX and NumPy to run:

>>> import jax, numpy as np
>>> network = jax.export.deserialize(bytearray(open("network.jax", "rb").read()))
>>> with np.load("weights.npz") as stored:
...     weights = [stored[str(n)].astype(a.dtype) for n, a in enumerate(network.in_avals[1:])]
>>> logits = jax.jit(network.call)(batch, *weights)

Weights in bf16, which NumPy's files do not know, are stored as the same numbers in float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.export
import numpy as np

NETWORK, WEIGHTS = "network.jax", "weights.npz"
Form = tuple[tuple[int, ...], str]  # shape and dtype


def write(
    folder: Path,
    module: bytes,
    batch: Form,
    weights: Sequence[np.ndarray],
    outputs: Sequence[Form],
    platforms: Sequence[str],
) -> None:
    """Put a serialised StableHLO `module` of (batch, *weights) -> outputs into `folder`, with its weights."""
    inputs = [_aval(*batch), *(_aval(array.shape, str(array.dtype)) for array in weights)]
    exported = _exported(module, inputs, [_aval(*form) for form in outputs], platforms)
    (folder / NETWORK).write_bytes(exported.serialize())
    np.savez(folder / WEIGHTS, **{str(number): _storable(array) for number, array in enumerate(weights)})


def read(folder: Path, device: Any) -> tuple[Any, list[Any]]:
    """The compiled function of (batch, *weights), and the weights on `device`."""
    network = jax.export.deserialize(bytearray((folder / NETWORK).read_bytes()))
    with np.load(folder / WEIGHTS) as stored:
        arrays = [stored[str(number)].astype(aval.dtype) for number, aval in enumerate(network.in_avals[1:])]
    return jax.jit(network.call), [jax.device_put(array, device) for array in arrays]


def _storable(array: np.ndarray) -> np.ndarray:
    return array if array.dtype.kind in "fiub" else array.astype(np.float32)


def _aval(shape: Sequence[int], dtype: str) -> Any:
    return jax.core.ShapedArray(tuple(shape), np.dtype(dtype))


def _exported(module: bytes, inputs: Sequence[Any], outputs: Sequence[Any], platforms: Sequence[str]) -> Any:
    return jax.export.Exported(
        fun_name="main",
        in_tree=jax.tree_util.tree_structure((tuple(range(len(inputs))), {})),
        in_avals=tuple(inputs),
        out_tree=jax.tree_util.tree_structure(tuple(range(len(outputs)))),
        out_avals=tuple(outputs),
        _has_named_shardings=True,
        _in_named_shardings=(None,) * len(inputs),
        _out_named_shardings=(None,) * len(outputs),
        in_shardings_hlo=(None,) * len(inputs),
        out_shardings_hlo=(None,) * len(outputs),
        nr_devices=1,
        platforms=tuple(platforms),
        ordered_effects=(),
        unordered_effects=(),
        disabled_safety_checks=(),
        mlir_module_serialized=module,
        uses_global_constants=False,
        calling_convention_version=jax.export.maximum_supported_calling_convention_version,
        module_kept_var_idx=tuple(range(len(inputs))),
        _get_vjp=None,
    )
