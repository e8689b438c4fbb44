"""A model as a SavedModel under TensorFlow Serving's signatures, with its preprocessing inside."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from zoo import Backbone, BackboneSpec, ImageInput
from zoo.errors import ExportError
from zoo.export import Exporter
from zoo.export.scored import ScoredBackbone
from zoo.framework import tf
from zoo.inputs import picture, prepare
from zoo.runtime import Array
from zoo_tensorflow.decoding import prepared, values

AT_ONCE = 8
ENCODED = (b"\xff\xd8", b"\x89PNG")  # how files start that go in as they are


class SavedModelExporter(Exporter):
    """Writes a SavedModel: `serving_default` takes encoded pictures or texts, `pixels` pictures at the native size."""

    files = ("saved_model.pb", "variables", "assets", "fingerprint.pb", "zoo.json")
    facts = "zoo.json"
    # Encoded pictures are decoded and resized by other code than the zoo's own.
    tolerance = {"serving_default": 0.02, "pixels": 1e-3}  # noqa: RUF012

    def write(self, backbone: ScoredBackbone, folder: Path) -> None:
        """See `zoo.export.Exporter.write`."""
        backbone.load()
        labels = folder / "labels.txt"
        names = backbone.labels.names.values() if backbone.labels else ()
        labels.write_text("".join(f"{' '.join(name.split())}\n" for name in names), encoding="utf-8")
        module = Served(backbone, labels)
        try:
            with _quiet():
                tf.saved_model.save(module, os.fspath(folder), signatures=module.signatures())
        except (ValueError, TypeError, AssertionError, tf.errors.OpError) as error:
            raise ExportError(
                f"{backbone.spec.name!r} can't be written as a SavedModel: {' '.join(str(error).split())[:400]}"
            ) from error
        labels.unlink()  # its copy lies in assets/

    def answers(self, folder: Path, sources: Sequence[Any], spec: BackboneSpec) -> dict[str, Array]:
        """See `zoo.export.Exporter.answers`."""
        for name in spec.imports:
            __import__(name)
        signatures = tf.saved_model.load(os.fspath(folder)).signatures
        if not isinstance(spec.input, ImageInput):
            return {"serving_default": _asked(signatures["serving_default"], tf.constant([str(s) for s in sources]))}
        found = {"serving_default": _asked(signatures["serving_default"], tf.constant(list(map(_encoded, sources))))}
        if "pixels" in signatures:
            levels = np.stack([prepare(source, _levels(spec.input)).value for source in sources])
            found["pixels"] = _asked(signatures["pixels"], tf.constant(levels))
        return found

    def how(self, spec: BackboneSpec) -> dict[str, str]:
        """See `zoo.export.Exporter.how`."""
        gives = "gives 'scores', float32 [n, width], and of a classifier 'label', string [n], the best class"
        if not isinstance(spec.input, ImageInput):
            ops = "".join(f"; import {name} before loading: its ops are in it" for name in spec.imports)
            return {"serving_default": f"takes 'texts', string [n], UTF-8; {gives}{ops}"}
        size = " x ".join(map(str, spec.input.size)) if spec.input.size else "any size"
        exif = "EXIF orientation is not applied: turn such pictures first"
        told = {"serving_default": f"takes 'image_bytes', string [n], files as they are (JPEG, PNG); {gives}; {exif}"}
        if spec.input.size:
            told["pixels"] = f"takes 'pixels', uint8 [n, {size.replace(' x ', ', ')}, 3], RGB 0..255; {gives}"
        return told


class Served(tf.Module):  # type: ignore[misc]
    """What TensorFlow Serving asks: a network with what comes before and after it."""

    def __init__(self, backbone: ScoredBackbone, labels: Path) -> None:
        super().__init__()
        self.parts = list(_trackables(backbone))
        self.labels = tf.saved_model.Asset(os.fspath(labels))
        self._spec = backbone.spec.input
        self._names = list(backbone.labels.names.values()) if backbone.labels else []
        self._backbone = tf.function(lambda batch: backbone.forward(batch)["scores"], autograph=False)

    def signatures(self) -> dict[str, Any]:
        """The signatures by name."""
        spec = self._spec
        if not isinstance(spec, ImageInput):
            texts = tf.TensorSpec([spec.batch], tf.string, "texts")
            self.serve = tf.function(lambda texts: self._answer(texts), [texts], autograph=False)
            return {"serving_default": self.serve.get_concrete_function()}
        encoded = tf.TensorSpec([spec.batch], tf.string, "image_bytes")
        self.serve = tf.function(
            lambda image_bytes: self._answer(prepared(image_bytes, spec)), [encoded], autograph=False
        )
        found = {"serving_default": self.serve.get_concrete_function()}
        if spec.size:
            levels = tf.TensorSpec([spec.batch, *spec.size, 3], tf.uint8, "pixels")
            self.pixels = tf.function(lambda pixels: self._answer(values(pixels, spec)), [levels], autograph=False)
            found["pixels"] = self.pixels.get_concrete_function()
        return found

    def _answer(self, batch: Any) -> dict[str, Any]:
        scores = self._backbone(batch)
        best = {"label": tf.gather(tf.constant(self._names), tf.argmax(scores, -1))} if self._names else {}
        return {"scores": scores, **best}


def _trackables(backbone: Backbone) -> Iterator[Any]:
    """Whatever holds variables, tables and files in `backbone`, and in those that it is made of."""
    for value in vars(backbone).values():
        if isinstance(value, Backbone):
            yield from _trackables(value)
        elif hasattr(value, "_trackable_children"):
            yield value
        elif hasattr(getattr(value, "model", None), "_trackable_children"):  # a head of Keras layers
            yield value.model


def _asked(signature: Any, batch: Any) -> Array:
    """The scores for `batch`, a few at a time as far as the network takes batches."""
    fixed = next(iter(signature.structured_input_signature[1].values())).shape[0]
    step = fixed or AT_ONCE
    parts = [signature(batch[at : at + step])["scores"].numpy() for at in range(0, batch.shape[0], step)]
    return np.concatenate(parts)


def _levels(spec: ImageInput) -> ImageInput:
    """`spec` as a user of the signature `pixels` must follow it: the same part of the picture, in levels 0..255."""
    facts = {"dtype": "uint8", "range": (0.0, 255.0), "mean": None, "std": None, "channels": "rgb"}
    return ImageInput(**(spec.model_dump() | facts))


def _encoded(source: Any) -> bytes:
    """A picture's file as it is, where its ops decode it upright; else the upright picture as PNG."""
    data = b""
    if isinstance(source, str | os.PathLike):
        data = Path(source).read_bytes()
    elif isinstance(source, bytes | bytearray | memoryview):
        data = bytes(source)
    if data.startswith(ENCODED):
        with Image.open(io.BytesIO(data)) as image:
            if image.getexif().get(0x0112, 1) == 1 and image.mode in ("RGB", "L"):
                return data
    stream = io.BytesIO()
    picture(source).save(stream, "PNG")
    return stream.getvalue()


@contextmanager
def _quiet() -> Iterator[None]:
    """Without TensorFlow's notes on what it saves."""
    logger = logging.getLogger("absl")
    before = logger.level
    tf.get_logger().setLevel("ERROR")
    logger.setLevel("ERROR")
    try:
        yield
    finally:
        logger.setLevel(before)
