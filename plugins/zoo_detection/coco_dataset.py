"""The scheme `coco:`: pictures with COCO JSON, whose annotation is read at once and its pictures when asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from zoo import Dataset, DatasetOptions, Example
from zoo.errors import DatasetError, OptionError
from zoo.labels import LabelSpace, label_space
from zoo_detection.annotation import Annotation
from zoo_detection.pictures import locate


class CocoDataset(Dataset):
    """The pictures of a COCO JSON in its order; those without objects count too.

    Raises DatasetError that names the file and what is wrong with it.
    """

    modality = "image"
    targets = "boxes"

    def __init__(self, file: Path, root: Path) -> None:
        self.name = str(file)
        annotation = Annotation.read(file)
        self.labels = _space(file.name, annotation.categories)
        self.annotated = frozenset(id for objects in annotation.objects.values() for id in objects.ids)
        self.note = annotation.note
        paths = locate(file, root, annotation.images)
        self._examples = [
            Example(image["file_name"], path, annotation.objects[image["id"]])
            for image, path in zip(annotation.images, paths, strict=True)
        ]

    def __len__(self) -> int:
        return len(self._examples)

    def __iter__(self) -> Iterator[Example]:
        return iter(self._examples)


def open_coco(path: str, options: DatasetOptions) -> CocoDataset:
    """The dataset at `path`: a COCO JSON, or a folder that holds one, itself or in `annotations/`.

    Of several JSON files the one called `instances_*.json` is taken, of several of those the one that ends in
    `options.split` ("val2017"). Pictures lie under the given folder (or the file's own): see `locate`.
    """
    given = Path(path).expanduser()
    if given.is_dir():
        return _opened(_annotation_file(given, options.split), given, options)
    if not given.exists():
        raise DatasetError(f"no dataset at {path!r}: there is no such file or folder")
    if options.split:
        raise OptionError(f"split={options.split!r} means nothing to one file, {path!r}; give its folder instead")
    return _opened(given, given.parent.parent if given.parent.name == "annotations" else given.parent, options)


def _opened(file: Path, root: Path, options: DatasetOptions) -> CocoDataset:
    dataset = CocoDataset(file, root)
    dataset.split = options.split or ""
    if options.labels:
        dataset.labels = _stated(options.labels, dataset)
    return dataset


def _annotation_file(folder: Path, split: str | None) -> Path:
    files = sorted(folder.glob("*.json")) or sorted((folder / "annotations").glob("*.json"))
    if not files:
        raise DatasetError(f"{str(folder)!r} holds no COCO JSON (*.json), nor does its 'annotations'")
    fitting = files if len(files) == 1 else [file for file in files if file.name.startswith("instances")] or files
    if split:
        fitting = [file for file in fitting if file.stem == split or file.stem.endswith(f"_{split}")]
    if len(fitting) == 1:
        return fitting[0]
    names = ", ".join(repr(file.name) for file in files)
    wanted = f"none or several of them end in split {split!r}" if split else "give one of them, or its split"
    raise DatasetError(f"{str(files[0].parent)!r} holds {len(files)} JSON files, {names}; {wanted}")


def _space(name: str, categories: dict[int, str]) -> LabelSpace:
    """COCO's own space where all categories agree with it, else one of the file's own."""
    coco = label_space("coco-91")
    if coco and all(coco.names.get(id) == label for id, label in categories.items()):
        return coco
    return LabelSpace(name, categories)


def _stated(space: LabelSpace, dataset: CocoDataset) -> LabelSpace:
    """The space that the user says the category ids are of."""
    outside = sorted(dataset.annotated - set(space.names))
    if outside:
        raise DatasetError(
            f"{dataset.name!r} has objects of category {outside[0]}, which label space {space.name!r} does not list; "
            f"leave the label space out to read the file's own"
        )
    return space
