"""The scheme `sts:`: sentence pairs in the form of the STS benchmark's files."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from zoo import Dataset, DatasetOptions, Example
from zoo.errors import DatasetError

# genre, file, year, number, score, sentence 1, sentence 2; some rows have sources behind these.
SCORE, FIRST, SECOND = 4, 5, 6


class SentencePairs(Dataset):
    """Pairs of sentences with a score of 0 (unrelated) to 5 (the same)."""

    modality = "text"
    targets = "similarity"

    def __init__(self, examples: list[Example], split: str) -> None:
        self._examples = examples
        self.split = split

    def __len__(self) -> int:
        return len(self._examples)

    def __iter__(self) -> Iterator[Example]:
        return iter(self._examples)


def open_sts(path: str, options: DatasetOptions) -> SentencePairs:
    """Read a tab-separated file without header or quoting; raises DatasetError that names the line."""
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise DatasetError(f"sts: {path!r} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"sts: {path!r} is not UTF-8 (byte {error.start}); convert it first") from error
    # Sentences may hold characters that str.splitlines takes for line ends.
    lines = text.replace("\r\n", "\n").split("\n")
    examples = [_example(path, number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    if not examples:
        raise DatasetError(f"sts: {path!r} holds no sentence pairs")
    return SentencePairs(examples, _split(file.stem))


def _example(path: str, number: int, line: str) -> Example:
    columns = line.split("\t")
    if len(columns) <= SECOND:
        raise DatasetError(
            f"sts: {path!r}, line {number} has {len(columns)} columns, not 7 or more: "
            f"genre, file, year, number, score, sentence 1, sentence 2, separated by tabs"
        )
    try:
        score = float(columns[SCORE])
    except ValueError:
        score = math.nan
    if not math.isfinite(score):
        raise DatasetError(f"sts: {path!r}, line {number}: {columns[SCORE]!r} in column 5 is no score")
    return Example(f"line {number}", (columns[FIRST].strip(), columns[SECOND].strip()), score)


def _split(stem: str) -> str:
    return next((split for split in ("train", "dev", "test") if split in stem), "")
