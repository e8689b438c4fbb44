"""Handwritten digits: scikit-learn's 1,797 of 8x8 pixels, split, enlarged and written as PNG files.

Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998
(CC BY 4.0), the part that scikit-learn carries.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from zoo import Dataset, DatasetOptions, Example
from zoo.labels import LabelSpace
from zoo_tiny.samples import drawn, note_of, split_of

NAMES = tuple("0123456789")
SIDE = 32  # pixels of a digit's picture
# The last quarter, in scikit-learn's order. The digits come writer by writer: a shuffled split would have each
# test digit's writer in the training split, and flatter every figure.
FIRST_OF_TEST = 1347


class Digits(Dataset):
    """Pictures of single digits, white on black, 32x32 pixels of grey; ids are the digits themselves."""

    name = "tiny_digits"
    modality = "image"
    targets = "class"
    labels = LabelSpace("digits", dict(enumerate(NAMES)))

    def __init__(self, folder: Path, split: str) -> None:
        self.split = split
        self.note = note_of(split)
        self._files = sorted(folder.glob("*/*.png"), key=lambda file: file.name)

    def __len__(self) -> int:
        return len(self._files)

    def __iter__(self) -> Iterator[Example]:
        for file in self._files:
            digit = file.parent.name
            yield Example(f"{digit}/{file.name}", file, int(digit))


def open_digits(path: str, options: DatasetOptions) -> Digits:
    """The test split, or the one that is asked for; raises DatasetError for another one."""
    split = split_of("tiny_digits", path, options)
    return Digits(drawn(f"digits-{split}", functools.partial(_write, split=split)), split)


def arrays(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Ink uint8 [n, 8, 8] in 0..255 and digits int64 [n] of a split."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    part = slice(None, FIRST_OF_TEST) if split == "train" else slice(FIRST_OF_TEST, None)
    ink = np.rint(bunch.images[part] * (255 / 16)).astype(np.uint8)
    return ink, bunch.target[part].astype(np.int64)


def picture(ink: np.ndarray) -> Image.Image:
    """The picture, 32x32 pixels of grey, of an 8x8 digit."""
    return Image.fromarray(ink).resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def _write(folder: Path, split: str) -> None:
    first = FIRST_OF_TEST if split == "test" else 0
    for name in NAMES:
        (folder / name).mkdir()
    for number, (ink, digit) in enumerate(zip(*arrays(split), strict=True), start=first):
        picture(ink).save(folder / NAMES[digit] / f"{number:04d}.png")
