"""The contract of a runtime: a backbone, or its files alone, becomes a compiled callable on a device."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from zoo.backbone import Backbone, import_loader, require_runtime
from zoo.errors import MissingPackageError
from zoo.plugins import installed
from zoo.progress import busy
from zoo.specs import RuntimeSpec

if TYPE_CHECKING:
    from zoo.tuning.choice import Choice

Array = npt.NDArray[Any]


class Compiled(ABC):
    """A backbone ready to run. `device` and `precision` say what really runs, not what was asked for.

    choice: where the runtime "auto" chose what runs, which one it is and why; None where it was asked for by name.
    """

    device: str
    precision: str
    choice: Choice | None = None

    @abstractmethod
    def __call__(self, batch: Array) -> dict[str, Array]:
        """The outputs of `Backbone.forward` as NumPy arrays; the device has finished when it returns.

        batch: float32 or uint8 [n, h, w, c], or object [n] of str.
        """

    def stream(self, batches: Iterable[Array]) -> Iterator[dict[str, Array]]:
        """The outputs of each batch, in order; a runtime that can has several under way at once.

        It takes a few batches ahead of what has been asked for. Closing it waits for those that run.
        """
        return map(self, batches)

    @abstractmethod
    def parameters(self) -> int | None:
        """The number of weights, or None where the runtime can't tell."""

    def peak_memory(self) -> int | None:
        """The device's peak memory in bytes since loading as the framework counts it, or None on a CPU."""
        return None


class Runtime(ABC):
    """How numbers are computed."""

    def __init__(self, spec: RuntimeSpec) -> None:
        self.spec = spec

    @abstractmethod
    def devices(self) -> Sequence[str]:
        """The devices at hand, best first, such as ("gpu:0", "cpu")."""

    @abstractmethod
    def compile(self, backbone: Backbone, *, device: str | None = None, precision: str = "fp32") -> Compiled:
        """`backbone`, loaded if this runtime needs that, ready to run; device None means the best at hand.

        Raises RuntimeLoadError for a device or precision that is not there, BackboneError for broken weights.
        """


def start_runtime(name: str) -> Runtime:
    """The runtime of that name; raises UnknownNameError, or MissingPackageError with what to install."""
    spec = installed_runtime(name)
    with busy(f"starting runtime {name!r}"):
        runtime: Runtime = import_loader(spec.loader, f"runtime {name!r}")(spec)
    return runtime


def installed_runtime(name: str) -> RuntimeSpec:
    """The facts of a runtime whose packages are here; raises as `start_runtime` does."""
    spec: RuntimeSpec = installed().runtimes.get(name)
    if missing := missing_modules(spec):
        raise MissingPackageError(f"runtime {name!r} needs {', '.join(map(repr, missing))} ({spec.install})")
    return spec


def able_runtime(backbone: Backbone, runtime: Runtime, *, named: bool) -> Runtime:
    """`runtime`, or, where the user has not `named` it and `backbone` can't run on it, the first that can.

    Raises RuntimeLoadError for a named one that can't, MissingPackageError where the other is not installed.
    """
    if not named and backbone.runtimes and runtime.spec.name not in backbone.runtimes:
        return start_runtime(backbone.runtimes[0])
    require_runtime(backbone, runtime.spec.name)
    return runtime


def missing_modules(spec: RuntimeSpec) -> list[str]:
    """The modules that the runtime requires and that are not installed; none is imported."""
    return [module for module in spec.requires if find_spec(module) is None]


def text_batch(texts: Sequence[str]) -> Array:
    """`texts` as the batch that a runtime takes: object [n]."""
    batch = np.empty(len(texts), dtype=object)
    batch[:] = list(texts)
    return batch
