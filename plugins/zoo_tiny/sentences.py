"""Graded sentence pairs in the form of the STS benchmark's files: the test written by hand, the training made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from zoo import Dataset, DatasetOptions, Example
from zoo_tiny.paraphrases import pairs
from zoo_tiny.samples import drawn, note_of, split_of

TEST = Path(__file__).parent / "data" / "sentences_test.tsv"
TRAIN_COUNT, TRAIN_SEED = 20_000, 11
# The columns of a row: genre, file, year, number, score, sentence, sentence; no header, no quoting.
SCORE, FIRST, SECOND = 4, 5, 6


class Sentences(Dataset):
    """Pairs of sentences with a score of 0 (unrelated) to 5 (the same)."""

    name = "tiny_sentences"
    modality = "text"
    targets = "similarity"

    def __init__(self, file: Path, split: str) -> None:
        self.split = split
        self.note = note_of(split)
        rows = [line.split("\t") for line in file.read_text(encoding="utf-8").splitlines()]
        self._examples = [
            Example(f"line {number}", (row[FIRST], row[SECOND]), float(row[SCORE]))
            for number, row in enumerate(rows, start=1)
        ]

    def __len__(self) -> int:
        return len(self._examples)

    def __iter__(self) -> Iterator[Example]:
        return iter(self._examples)


def open_sentences(path: str, options: DatasetOptions) -> Sentences:
    """The test split, or the one that is asked for; raises DatasetError for another one."""
    split = split_of("tiny_sentences", path, options)
    if split == "test":
        return Sentences(TEST, split)
    return Sentences(drawn("sentences-train", _write) / "sentences_train.tsv", split)


def _write(folder: Path) -> None:
    rows = (
        f"made\tparaphrases\t\t{number:05d}\t{score:.2f}\t{first}\t{second}\n"
        for number, (score, first, second) in enumerate(pairs(TRAIN_COUNT, TRAIN_SEED), start=1)
    )
    (folder / "sentences_train.tsv").write_text("".join(rows), encoding="utf-8")
