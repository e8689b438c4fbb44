"""The contract of a backbone: weights become a callable that computes and does not know what its numbers mean."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from zoo.errors import BackboneError, MissingPackageError, PairError, PluginError, RuntimeLoadError
from zoo.formats import format_of, unpacked
from zoo.specs import BackboneSpec, OutputSpec


class Backbone(ABC):
    """A network bound to one of its outputs. Constructing is cheap; `load` reads the weights.

    files: local paths by role: "weights", and "preprocessor" where the spec's text input names one. A subclass
        imports its framework in `load`, not with its module: a runtime that reads `files` by itself then never
        pays for it.
    reads: the names of the formats (`zoo.FormatSpec`) that it takes; a file of another goes to that one's loader.
        Empty where it says nothing: then it gets whatever its row names.
    runtimes: the names of the runtimes that can run it; empty for any, which start from `forward`.
    resizable: the outputs that it gives of any `spec.input.size`, whatever the publisher's was.
    """

    reads: ClassVar[tuple[str, ...]] = ()
    runtimes: ClassVar[tuple[str, ...]] = ()
    resizable: ClassVar[tuple[str, ...]] = ()

    def __init__(self, spec: BackboneSpec, output: str, files: Mapping[str, Path]) -> None:
        self.spec = spec
        self.output = output
        self.files = dict(files)

    @property
    def facts(self) -> OutputSpec:
        """What the spec says of the bound output."""
        return self.spec.outputs[self.output]

    @abstractmethod
    def load(self) -> None:
        """Read the weights into memory; a second call does nothing. Raises BackboneError."""

    @abstractmethod
    def forward(self, batch: Any, training: bool = False) -> dict[str, Any]:
        """The tensors of the bound output for a batch of prepared inputs.

        batch: float32 or uint8 [n, h, w, c] as `spec.input` says, or string [n].
        Returns, by name: "logits" [n, width]; "features" [n, width]; "feature_maps" [n, h, w, width], the last of the
        network that keep their place in the picture; for output "boxes" "boxes" [n, k, 4],
        "scores" [n, k], "classes" [n, k] as the module numbers them, and "count" [n], how many of the k are real.
        Further outputs, a plugin's own, are named after themselves.
        """

    @abstractmethod
    def parameters(self) -> int:
        """The number of weights, trainable or not, of the loaded network."""

    def variables(self) -> dict[str, Any]:
        """The `tf.Variable`s that `forward` reads, by their paths in the network (`block_1/conv/kernel`); loads it.

        What is trained is trained through these. Raises BackboneError with the reason where there are none to train.
        """
        raise BackboneError(
            f"backbone {self.spec.name!r}: {str(self.files['weights'])!r} holds constants, made for inference; there "
            f"are no variables in it to train"
        )

    def save(self, folder: Path) -> Path:
        """Write the network with the weights that it has now into `folder`; what is returned loads as this did."""
        raise BackboneError(f"backbone {self.spec.name!r} can't be saved: it has no variables that may have changed")


def import_loader(loader: str, wanted_by: str) -> Any:
    """What a `"module:Name"` string names; raises PluginError or MissingPackageError that names `wanted_by`."""
    module_name, _, name = loader.partition(":")
    try:
        return getattr(importlib.import_module(module_name), name)
    except ModuleNotFoundError as error:
        if error.name and module_name.split(".")[0] == error.name.split(".")[0]:
            raise PluginError(
                f"{wanted_by} names the loader {loader!r}, but there is no module {error.name!r}"
            ) from error
        raise MissingPackageError(f"{wanted_by} needs the package {error.name!r} (pip install {error.name})") from error
    except AttributeError as error:
        raise PluginError(f"{wanted_by} names the loader {loader!r}, but {module_name!r} has no {name!r}") from error


def load_backbone(spec: BackboneSpec, output: str, files: Mapping[str, Path]) -> Backbone:
    """The backbone of `spec`, constructed and not yet loaded.

    Weights in a form that the spec's own loader does not read are read by that form's: a user's `.keras` file runs in
    place of a SavedModel. Raises BackboneError for a file that is not what its name says.
    """
    wanted_by = f"backbone {spec.name!r}"
    loader = spec.loader
    make = import_loader(loader, wanted_by)
    if reads := getattr(make, "reads", ()):
        files = {role: unpacked(path, wanted_by) for role, path in files.items()}
        form = format_of(files["weights"], wanted_by)
        if form is not None and form.name not in reads:
            loader = form.loader
            make = import_loader(loader, wanted_by)
    backbone = make(spec, output, files)
    if not isinstance(backbone, Backbone):
        raise PluginError(f"the loader {loader!r} of {wanted_by} makes no zoo.Backbone")
    return backbone


def require_output(spec: BackboneSpec, output: str) -> str:
    """`output`; raises PairError where the backbone of `spec` has none of that name."""
    if output not in spec.outputs:
        offers = ", ".join(repr(name) for name in spec.outputs)
        raise PairError(f"backbone {spec.name!r} has no output {output!r}; it offers {offers}")
    return output


def require_runtime(backbone: Backbone, runtime: str) -> None:
    """Raise RuntimeLoadError where `backbone` can't run on the runtime of that name."""
    if backbone.runtimes and runtime not in (*backbone.runtimes, "auto"):
        raise RuntimeLoadError(
            f"backbone {backbone.spec.name!r}: {str(backbone.files['weights'])!r} can't run on runtime {runtime!r}; it "
            f"runs on runtime={' or '.join(map(repr, backbone.runtimes))}"
        )
