"""The scheme `folder:`: a folder per class, the folder's name its label."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from zoo import Dataset, DatasetOptions, Example
from zoo.errors import DatasetError
from zoo.labels import LabelSpace
from zoo.pictures import ENDINGS

SPLITS = frozenset({"train", "val", "valid", "validation", "test"})


class ClassFolders(Dataset):
    """Pictures under one folder per class, in the order of their names; ids count the classes in that order."""

    modality = "image"
    targets = "class"

    def __init__(self, root: Path, split: str) -> None:
        self.split = split
        classes = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
        files = {path.name: _pictures(path) for path in classes}
        empty = [name for name, pictures in files.items() if not pictures]
        if not files:
            raise DatasetError(f"folder: {str(root)!r} has no folder per class in it")
        if empty:
            raise DatasetError(f"folder: in {str(root)!r} no picture is in class {', '.join(map(repr, empty))}")
        self.labels = LabelSpace(f"the folders of {root.name!r}", dict(enumerate(files)))
        self._examples = [
            Example(str(picture), picture, id) for id, pictures in enumerate(files.values()) for picture in pictures
        ]

    def __len__(self) -> int:
        return len(self._examples)

    def __iter__(self) -> Iterator[Example]:
        return iter(self._examples)


def open_folder(path: str, options: DatasetOptions) -> ClassFolders:
    """Open `path`, or its sub-folder named by `options.split`; raises DatasetError."""
    root = Path(path)
    if not root.is_dir():
        raise DatasetError(f"folder: {path!r} is no folder" if root.exists() else f"folder: there is no {path!r}")
    inside = {entry.name for entry in root.iterdir() if entry.is_dir()}
    splits = sorted(inside & SPLITS)
    if options.split:
        if options.split not in inside:
            raise DatasetError(
                f"folder: {path!r} has no split {options.split!r}; it has {', '.join(sorted(inside)) or 'no folders'}"
            )
        return ClassFolders(root / options.split, options.split)
    if splits and inside <= SPLITS:
        raise DatasetError(f"folder: {path!r} is split into {', '.join(splits)}; name one with split=... (--split)")
    return ClassFolders(root, root.name if root.name in SPLITS else "")


def _pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS and path.is_file())
