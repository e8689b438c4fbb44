"""A KerasHub preset as a backbone: a folder of configuration, weights and its own preparation of pictures or texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from zoo import Backbone
from zoo.errors import BackboneError, MissingPackageError
from zoo_keras.applications import require_tensorflow
from zoo_keras.network import variables_by_path
from zoo_keras.preset_folder import checked_folder

INSTALL = "pip install 'tf-model-zoo[kerashub]'"


class PresetBackbone(Backbone):
    """What `save_to_preset` of KerasHub writes. It takes raw input: the preset's own preprocessor is a part of it.

    `logits`: an image or text classifier, `boxes`: an object detector, `features`: a text embedder; or what a
    classifier's last layer takes; or of a bare encoder the picture's average, a text's first token or its pooled state.
    """

    reads = ("kerashub_preset",)

    _run: Callable[[Any, bool], dict[str, Any]] | None = None
    model: Any = None
    preprocessor: Any = None

    def load(self) -> None:
        """Build the network and read its weights; raises BackboneError that names the file which is missing or cut."""
        if self._run is not None:
            return
        require_tensorflow(self.spec.name)
        try:
            import keras_hub
        except ImportError as error:
            raise MissingPackageError(
                f"backbone {self.spec.name!r} is a KerasHub preset, which needs the package 'keras_hub' ({INSTALL})"
            ) from error
        folder = self.files["weights"]
        task = checked_folder(folder, self.spec.name)
        try:
            self._run = self._bound(keras_hub.models, str(folder), task)
        except (BackboneError, MissingPackageError):
            raise
        except Exception as error:
            reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
            raise self._error(f"can't be loaded by KerasHub {keras_hub.__version__} ({reason})") from error

    def forward(self, batch: Any, training: bool = False) -> dict[str, Any]:
        """See `zoo.Backbone.forward`."""
        self.load()
        assert self._run is not None
        return self._run(batch, training)

    def parameters(self) -> int:
        """The number of weights of the network."""
        self.load()
        return int(self.model.count_params())

    def variables(self) -> dict[str, Any]:
        """See `zoo.Backbone.variables`."""
        self.load()
        return variables_by_path(self.model)

    def save(self, folder: Path) -> Path:
        """See `zoo.Backbone.save`: a preset again."""
        self.load()
        preset = folder / "preset"
        self.model.save_to_preset(str(preset))
        if not hasattr(self.model, "preprocessor"):  # a bare encoder
            self.preprocessor.save_to_preset(str(preset))
        return preset

    def _bound(self, models: Any, folder: str, task: str | None) -> Callable[[Any, bool], dict[str, Any]]:
        """`run(batch, training)` for the bound output; `task`: the class that the preset was saved as, if any."""
        from zoo.framework import keras

        wanted = models.ObjectDetector if self.output == "boxes" else self._classifier(models)
        saved = getattr(models, task, None) if task else None
        made_for = (wanted, models.TextEmbedder) if self.output == "features" else (wanted,)
        if saved is None or not issubclass(saved, made_for):
            if self.output != "features":
                raise self._error(
                    f"is {_what(task)}: it holds no trained {wanted.__name__}, which {self.output!r} needs"
                )
            return self._encoder(models, folder)
        self.model = model = saved.from_preset(folder)
        before = self._preparation(model.preprocessor)
        if self.output == "boxes":
            from zoo_keras.preset_boxes import detector

            return detector(model, before)
        network = model
        if self.output == "features" and issubclass(saved, wanted):
            head = getattr(model, "output_dense", None) or getattr(model, "logits", None) or model.layers[-1]
            network = keras.Model(model.input, head.input)
        self._check_width(model)
        return lambda batch, training: {self.output: _vector(network(before(batch), training=training))}

    def _encoder(self, models: Any, folder: str) -> Callable[[Any, bool], dict[str, Any]]:
        self.model = model = models.Backbone.from_preset(folder)
        if self.spec.input.kind == "image":
            preprocessor = models.ImageClassifierPreprocessor.from_preset(folder)
        else:
            preprocessor = models.TextClassifierPreprocessor.from_preset(folder)
        before = self._preparation(preprocessor)
        return lambda batch, training: {"features": _vector(model(before(batch), training=training))}

    def _classifier(self, models: Any) -> Any:
        return models.ImageClassifier if self.spec.input.kind == "image" else models.TextClassifier

    def _preparation(self, preprocessor: Any) -> Callable[[Any], Any]:
        """The preset's own: decoded pictures 0..255, or texts, into what its network takes."""
        from zoo.framework import tf

        self.preprocessor = preprocessor
        if preprocessor is None:
            raise self._error("has no preprocessor: it was saved without one, and its network takes nothing raw")
        if self.spec.input.kind == "image":
            return lambda batch: preprocessor(tf.cast(batch, tf.float32))
        if self.spec.input.length:
            preprocessor.sequence_length = self.spec.input.length
        return lambda batch: _trimmed(preprocessor(tf.convert_to_tensor(batch, tf.string)), preprocessor)

    def _check_width(self, model: Any) -> None:
        classes = getattr(model, "num_classes", None)
        if self.output == "logits" and self.facts.width not in (None, classes):
            raise self._error(f"has {classes} classes, and the spec's width is {self.facts.width}: correct its row")

    def _error(self, what: str) -> BackboneError:
        return BackboneError(f"backbone {self.spec.name!r}: the KerasHub preset {str(self.files['weights'])!r} {what}")


def _what(task: str | None) -> str:
    return f"a {task}" if task else "a bare backbone"


def _trimmed(packed: Any, preprocessor: Any) -> Any:
    """Packed texts without the columns that are padding in all of them; a network that masks answers the same."""
    from zoo.framework import tf

    if not isinstance(packed, Mapping) or "padding_mask" not in packed:
        return packed
    if getattr(getattr(preprocessor, "packer", None), "padding_side", "right") != "right":
        return packed
    longest = tf.reduce_max(tf.reduce_sum(tf.cast(packed["padding_mask"], tf.int32), 1))
    return {name: value[:, :longest] for name, value in packed.items()}


def _vector(result: Any) -> Any:
    """One vector for each input: maps [n, h, w, d] are averaged, of sequences [n, t, d] the first token counts."""
    from zoo.framework import keras

    if isinstance(result, Mapping):
        result = result.get("pooled_output", result.get("sequence_output", next(reversed(result.values()))))
    if len(result.shape) == 4:
        return keras.ops.mean(result, axis=(1, 2))
    return result[:, 0] if len(result.shape) == 3 else result
