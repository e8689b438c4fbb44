"""Bytes become a picture or a text as a network's spec wants it, in NumPy, without TensorFlow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo.spec import ImageInput, TextInput

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True)
class Prepared:
    """One input, ready for a network.

    value: [h, w, c] in the dtype and range of the spec, or a str.
    source: what it was made from, so that a prediction can be drawn on it.
    size: (width, height) of the upright original in pixels; (0, 0) for text.
    window: (left, top, right, bottom), the part of the original that `value` shows, in the original's pixels; it
        reaches beyond the original where the picture was padded.
    """

    value: Any
    source: Any
    size: tuple[int, int] = (0, 0)
    window: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)


def prepare(source: Any, spec: ImageInput | TextInput) -> Prepared:
    """A picture (path, encoded bytes, PIL image, array) or a text (str, UTF-8 bytes) as `spec` wants it.

    Raises InputError.
    """
    raise NotImplementedError


def prepare_all(sources: Iterable[Any], spec: ImageInput | TextInput) -> Iterator[Prepared | Exception]:
    """`prepare` over `sources` in order, several at a time and a little ahead; an InputError is yielded, not raised."""
    raise NotImplementedError


def picture(source: Any) -> Image.Image:
    """An upright 8-bit RGB picture of a path, encoded bytes, a PIL image or an array; raises InputError."""
    raise NotImplementedError


def sample_inputs(kind: str) -> list[Any]:
    """A few real inputs for when there is no dataset: photographs that scikit-learn carries, sentences of our own."""
    raise NotImplementedError
