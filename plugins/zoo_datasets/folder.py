"""The scheme `folder:`: a folder per class, the folder's name its label."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from zoo import Dataset, DatasetOptions, Example
from zoo.errors import DatasetError, SplitError
from zoo.labels import LabelSpace
from zoo.pictures import ENDINGS

SPLITS = ("train", "val", "valid", "validation", "dev", "test")  # folders that are parts of a set, not classes


class ClassFolders(Dataset):
    """Pictures under one folder per class, in the order of their names; ids count the classes in that order."""

    modality = "image"
    targets = "class"

    def __init__(self, root: Path, split: str, splits: tuple[str, ...] = ()) -> None:
        self.split = split
        self.splits = splits
        classes = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
        found = {path.name: _pictures(path) for path in classes}
        files = {name: pictures for name, pictures in found.items() if pictures}
        self.empty = tuple(name for name in found if name not in files)
        if not files:
            told = f"no picture is in class {', '.join(map(repr, found))}" if found else "there is no folder per class"
            raise DatasetError(f"folder: in {str(root)!r} {told}")
        if self.empty:
            self.note = f"no picture is in class {', '.join(map(repr, self.empty))}: left out"
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
    inside = {entry.name for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith(".")}
    splits = tuple(name for name in SPLITS if name in inside) if inside <= set(SPLITS) else ()
    if options.split:
        if options.split not in inside:
            raise DatasetError(
                f"folder: {path!r} has no split {options.split!r}; it has {', '.join(sorted(inside)) or 'no folders'}"
            )
        return ClassFolders(root / options.split, options.split, splits)
    if splits:
        raise SplitError(
            f"folder: {path!r} is split into {', '.join(splits)}; name one with split=... (--split)", splits
        )
    return ClassFolders(root, root.name if root.name in SPLITS else "")


def _pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS and path.is_file())
