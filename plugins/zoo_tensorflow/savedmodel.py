"""Any SavedModel as a backbone: what it is called with, and which of its outputs is which."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from zoo import Backbone
from zoo.disk import check_saved_model
from zoo.errors import BackboneError, MissingPackageError, how_to_install
from zoo.safety import text_ops
from zoo_tensorflow.detections import detections
from zoo_tensorflow.version1 import chosen_tags, is_version1, kept, with_constants
from zoo_tensorflow.vocabulary import check_preprocessor

# What a module must be given beside its input, tried in this order; one without `training` refuses the first.
CALL_FORMS: tuple[dict[str, bool], ...] = ({"training": False}, {})
USUAL_SIGNATURES = ("serving_default", "default")  # of TensorFlow 2's modules, of TensorFlow 1's Hub


class SavedModelBackbone(Backbone):
    """A SavedModel in one of TF Hub's common forms: a callable object, or one with signatures.

    Text modules may come with a preprocessor module, whose result they then take. Of TensorFlow 1's, which hold a graph
    for each set of tags, the one for inference is taken, or that of `spec.options["tags"]`.
    """

    reads = ("saved_model",)

    _run: Callable[..., Any] | None = None

    def load(self) -> None:
        """Read the SavedModel, and its preprocessor; raises BackboneError that names what is wrong with the folder."""
        if self._run is not None:
            return
        for module in self.spec.imports:
            _import_needed(module, self.spec.name)
        self.module = _read(self.files["weights"], self.spec.name, self.spec.options.get("tags"))
        self._constants = kept(self.module)
        run = _callable(
            self.module, self.facts.signature, self.spec.name, self.files["weights"], constants=self._constants
        )
        if "preprocessor" in self.files:
            self.preprocessor = _read(self.files["preprocessor"], self.spec.name)
            check_preprocessor(variables(self.module), self.files["preprocessor"], self.spec.name)
            before = _callable(self.preprocessor, None, self.spec.name, self.files["preprocessor"])
            self._run = lambda batch, training: run(before(batch, False), training)
        else:
            self._run = run

    def forward(self, batch: Any, training: bool = False) -> dict[str, Any]:
        """See `zoo.Backbone.forward`."""
        self.load()
        assert self._run is not None
        if training and is_version1(self.module):
            raise BackboneError(
                f"backbone {self.spec.name!r}: {str(self.files['weights'])!r} is a module of TensorFlow 1, whose graph "
                "for inference can't be trained; train a head on its features, or take its TensorFlow 2 version"
            )
        result = self._run(batch, training)
        if self.output == "boxes":
            found = detections(result)
            if isinstance(found, str):
                raise self._unexpected(found)
            return found
        return {self.output: self._vector(self._one(result))}

    def parameters(self) -> int:
        """The sizes of the module's variables, added up."""
        self.load()
        held = [
            *variables(self.module),
            *(value for value in self._constants.values() if value.dtype.name != "resource"),
        ]
        return sum(int(variable.shape.num_elements() or 0) for variable in held)

    def variables(self) -> dict[str, Any]:
        """See `zoo.Backbone.variables`; a module that exposes none, or one of TensorFlow 1, can't be trained."""
        self.load()
        where = f"backbone {self.spec.name!r}: the module in {str(self.files['weights'])!r}"
        if is_version1(self.module):
            raise BackboneError(f"{where} is one of TensorFlow 1, whose graph for inference can't be trained")
        exposed = list(getattr(self.module, "variables", ()))
        if not any(variable.trainable for variable in exposed):
            raise BackboneError(f"{where} was saved for inference: it exposes no variables to train")
        found: dict[str, Any] = {}
        for variable in exposed:
            name = path = variable.name.split(":")[0]
            number = 0
            while name in found:  # Keras 3 exports them with the last part of their names alone
                number += 1
                name = f"{path}_{number}"
            found[name] = variable
        return found

    def save(self, folder: Path) -> Path:
        """See `zoo.Backbone.save`: a SavedModel with the functions of the original."""
        from zoo.framework import tf

        self.load()
        tf.saved_model.save(self.module, str(folder / "saved_model"), signatures=self.module.signatures or None)
        return folder / "saved_model"

    def _one(self, result: Any) -> Any:
        """The tensor of the bound output: named by the spec, or called `default`, or the only one there is."""
        if isinstance(result, tuple | list) and len(result) == 1:
            return result[0]
        if not isinstance(result, Mapping):
            return result
        for key in (self.facts.key, self.output, "default"):
            if key in result:
                return result[key]
        if len(result) == 1:
            return next(iter(result.values()))
        raise self._unexpected(f"several tensors, {sorted(result)}: name one with 'key' in its spec")

    def _vector(self, value: Any) -> Any:
        """Features of a picture as one vector: maps [n, h, w, d], [n, 1, 1, d] too, are averaged over the picture."""
        if self.output != "features" or value.shape.rank != 4:
            return value
        from zoo.framework import tf

        return tf.reduce_mean(value, axis=[1, 2])

    def _unexpected(self, got: str) -> BackboneError:
        return BackboneError(
            f"backbone {self.spec.name!r}, output {self.output!r}: the module in {str(self.files['weights'])!r} "
            f"returned {got}"
        )


def variables(module: Any) -> list[Any]:
    """The variables of a loaded module; one that exposes none has those that its functions captured."""
    exposed = list(getattr(module, "variables", ()))
    if exposed:
        return exposed
    functions = list(getattr(module, "signatures", {}).values())
    if callable(module):
        functions += getattr(module.__call__, "concrete_functions", [])
    found = {id(variable): variable for function in functions for variable in function.graph.variables}
    return list(found.values())


def _import_needed(module: str, backbone: str) -> None:
    try:
        importlib.import_module(module)
    except ImportError as error:
        raise MissingPackageError(
            f"backbone {backbone!r} needs the package {module!r} ({how_to_install(module)})"
        ) from error


def _read(folder: Path, backbone: str, tags: list[str] | None = None) -> Any:
    from zoo.framework import tf

    check_saved_model(folder, backbone)
    tags = chosen_tags(folder, tags, backbone)
    try:
        return tf.saved_model.load(str(folder), tags=tags)
    except Exception as error:
        raise BackboneError(f"backbone {backbone!r}: the SavedModel in {str(folder)!r} {_reason(error)}") from error


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    if missing := re.search(r"Op type not registered '([^']+)'", text):
        if missing[1] in text_ops():
            return (
                f"uses the op {missing[1]!r} of tensorflow-text: write imports = ['tensorflow_text'] into its row, and "
                f"if it is not installed: {how_to_install('tensorflow_text')}"
            )
        return f"uses the op {missing[1]!r}, which this TensorFlow does not have: {text[:200]}"
    if "Failed to find any matching files" in text:
        return "has no files of variables ('variables/variables.index' and 'variables.data-...'); fetch it again"
    if "Read less bytes" in text or "out of range" in text.lower():
        return f"has truncated variables, in 'variables/variables.data-...'; fetch it again: {text[:200]}"
    if "sstable" in text:
        return f"has a cut or damaged file 'variables/variables.index'; fetch it again: {text[:200]}"
    return f"can't be loaded ({type(error).__name__}): {text[:300]}"


def _callable(
    module: Any, signature: str | None, backbone: str, folder: Path, constants: Mapping[str, Any] = MappingProxyType({})
) -> Callable[..., Any]:
    """`run(batch, training)` for a loaded module: itself if it can be called, else its signature.

    constants: values of references in a module of TensorFlow 1.
    """
    signatures = dict(getattr(module, "signatures", {}))
    if signature is None and callable(module):
        return _call_form(module, backbone, folder)
    usual = next((name for name in USUAL_SIGNATURES if name in signatures), next(iter(signatures), None))
    name = signature or usual
    if name is None:
        raise BackboneError(
            f"backbone {backbone!r}: the SavedModel in {str(folder)!r} can't be called and has no signatures; "
            f"it was saved without them"
        )
    if name not in signatures:
        raise BackboneError(
            f"backbone {backbone!r}: the SavedModel in {str(folder)!r} has no signature {name!r}; "
            f"it has {', '.join(map(repr, signatures)) or 'none'}"
        )
    signed = signatures[name]
    inputs = list(signed.structured_input_signature[1])
    function = with_constants(signed, constants)

    def run(batch: Any, training: bool) -> Any:
        try:
            return function(**(batch if isinstance(batch, Mapping) else {inputs[0]: batch}))
        except (TypeError, ValueError) as error:
            raise _refused(backbone, folder, batch, signed, error) from error

    return run


def _call_form(module: Any, backbone: str, folder: Path) -> Callable[..., Any]:
    chosen: list[dict[str, bool]] = []

    def run(batch: Any, training: bool) -> Any:
        refusals = []
        for form in chosen or CALL_FORMS:
            try:
                result = module(batch, **dict.fromkeys(form, training))
            except (
                TypeError,
                ValueError,
            ) as error:  # "could not find matching concrete function", and no such argument
                refusals.append(error)
                continue
            chosen[:] = [form]
            return result
        raise _refused(backbone, folder, batch, module.__call__, refusals[-1]) from refusals[-1]

    return run


def _refused(backbone: str, folder: Path, batch: Any, function: Any, error: Exception) -> BackboneError:
    takes = _forms(function)
    told = f"it takes {takes}" if takes else " ".join(str(error).split())[:400]
    how = "correct the input in its row, or give weights that fit"
    if not isinstance(batch, Mapping) and batch.dtype.name == "string" and "input_" in takes:
        how = "those come from a text preprocessor: name the one of its page, as 'preprocessor' of the input in its row"
    elif isinstance(batch, Mapping) and takes.startswith("string"):
        how = "it splits texts itself: leave the 'preprocessor' out of its row"
    return BackboneError(
        f"backbone {backbone!r}: the module in {str(folder)!r} does not take {_form(batch)}, which the spec's input "
        f"describes: {told}; {how}"
    )


def _forms(function: Any) -> str:
    """What a restored function was traced for, in words; empty where it does not say."""
    from zoo.framework import tf

    found = []
    for concrete in getattr(function, "concrete_functions", [function]):
        given = tf.nest.flatten(getattr(concrete, "structured_input_signature", ()))
        tensors = [part for part in given if isinstance(part, tf.TensorSpec) and part.dtype != tf.bool]
        several = [f"{part.name}: {_form(part)}" for part in tensors] if len(tensors) > 1 else map(_form, tensors)
        found.append(", ".join(several))
    return " or ".join(dict.fromkeys(filter(None, found)))


def _form(tensor: Any) -> str:
    """A tensor's dtype and shape: `float32 [n, 224, 224, 3]`."""
    if isinstance(tensor, Mapping):
        return "the preprocessor's " + ", ".join(f"{name}: {_form(part)}" for name, part in tensor.items())
    if tensor.shape.rank is None:
        return f"{tensor.dtype.name} of any shape"
    sides = ["n" if side is None else str(side) for side in tensor.shape]
    return f"{tensor.dtype.name} [{', '.join(sides)}]"
