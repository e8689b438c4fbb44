"""The scheme `tfds:`: TensorFlow Datasets; their features tell whether they hold classes, objects or graded pairs."""

from __future__ import annotations

import hashlib
import io
import itertools
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from typing import Any

from zoo import Dataset, DatasetOptions, Example, Objects
from zoo.errors import DatasetError, MissingPackageError
from zoo.inputs import picture
from zoo.labels import LabelSpace, known_spaces, label_space
from zoo.progress import visible
from zoo.weights import offline

HOME = "storage.googleapis.com"  # of TensorFlow Datasets
ENDS = 2**20  # bytes of each file of records that a fingerprint is of, at its beginning and at its end
PAIR = ("sentence1", "sentence2")


class TensorFlowDataset(Dataset):
    """A split of a prepared builder, read when iterated over, in a fixed order; pictures stay encoded."""

    choice = "the first ones"

    def __init__(self, builder: Any, split: str, options: DatasetOptions) -> None:
        self._builder = builder
        self.split = split
        self.splits = tuple(builder.info.splits)
        features = builder.info.features
        self.targets = options.targets or ("boxes" if "objects" in features else "class")
        self.modality = "image" if "image" in features else "text"
        self._input = options.input_column or _first(builder, [name for name in features if _is_input(features[name])])
        if self.targets == "boxes":
            named = _field(builder, features, "objects").feature["label"]
        else:
            self._label = options.label_column or (
                "label" if "label" in features else _first(builder, _labels(features))
            )
            named = _field(builder, features, self._label)
        names = list(getattr(named, "names", None) or ())
        self.labels = options.labels or _space(builder.name, names)

    def __len__(self) -> int:
        return int(self._builder.info.splits[self.split].num_examples)

    def __iter__(self) -> Iterator[Example]:
        import tensorflow_datasets as tfds

        encoded = {self._input: tfds.decode.SkipDecoding()} if self.modality == "image" else None
        data = self._builder.as_dataset(split=self.split, shuffle_files=False, decoders=encoded)
        for number, row in enumerate(data.as_numpy_iterator()):
            yield Example(f"{self._builder.name} {self.split} {number}", self._value(row), self._target(row, number))

    def some(self, limit: int) -> Iterator[Example]:
        """The first `limit` examples: records are read one after the other, and most sets were shuffled for good."""
        return itertools.islice(self, limit)

    def fingerprint(self) -> str:
        """A SHA-256 over name, version, split and size as the builder states them, and both ends of each file of
        records: a dataset that was written anew is another one.
        """
        facts = (self._builder.info.full_name, self.split, len(self), self._builder.info.dataset_size)
        digest = hashlib.sha256(repr(facts).encode())
        for path in sorted(map(str, self._builder.info.splits[self.split].filepaths)):
            with open(path, "rb") as file:
                digest.update(file.read(ENDS))
                file.seek(max(os.path.getsize(path) - ENDS, 0))
                digest.update(file.read(ENDS))
        return digest.hexdigest()

    def _value(self, row: Mapping[str, Any]) -> Any:
        if self.targets == "similarity":
            return tuple(row[name].decode() for name in PAIR)
        return row[self._input]

    def _target(self, row: Mapping[str, Any], number: int) -> Any:
        if self.targets == "boxes":
            return _objects(row["objects"], picture(io.BytesIO(row[self._input]).getvalue()).size, number)
        return float(row[self._label]) if self.targets == "similarity" else int(row[self._label])


def open_tfds(path: str, options: DatasetOptions) -> TensorFlowDataset:
    """Open NAME[/CONFIG][:VERSION], downloaded and prepared where it is not yet, or a folder that holds a prepared one.

    split: TFDS' own words (`test`, `train[:10%]`); `test` where there is one and none is named.
    Raises DatasetError, MissingPackageError.
    """
    import zoo.framework  # noqa: F401 - else TFDS imports TensorFlow, and that with its chatter

    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise MissingPackageError("tfds: needs tensorflow_datasets (pip install tensorflow-datasets)") from error
    if not visible():
        tfds.disable_progress_bar()
    try:
        builder = tfds.builder_from_directory(path) if os.path.isdir(path) else tfds.builder(path)
        if not os.path.isdir(builder.data_dir):
            if offline():
                raise DatasetError(
                    f"it is not prepared in {str(builder.data_dir)!r}, and ZOO_OFFLINE forbids to fetch it"
                )
            _require_network()
            with redirect_stdout(sys.stderr):  # what it tells of its progress is no answer of ours
                builder.download_and_prepare()
        splits = list(builder.info.splits)
        split = options.split or ("test" if "test" in splits else splits[0])
        _ = builder.info.splits[split].num_examples
    except Exception as error:
        told = " ".join(str(error).split())[:400]
        asked = f" (split {options.split!r})" if options.split else ""
        raise DatasetError(f"tfds: {path!r}{asked} can't be opened: {told}") from error
    return TensorFlowDataset(builder, split, options)


def _require_network() -> None:
    """Say at once that there is no network: the downloader would try each file again for minutes."""
    if any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")):
        return  # a proxy looks names up, we can't
    try:
        socket.getaddrinfo(HOME, 443)
    except OSError as error:
        raise DatasetError(
            f"it must be downloaded first, and the network can't be reached ({HOME!r}: {error.strerror})"
        ) from error


def _objects(objects: Mapping[str, Any], size: tuple[int, int], number: int) -> Objects:
    """TFDS' boxes, (top, left, bottom, right) in 0..1, as pixels of a picture of `size` (width, height)."""
    width, height = size
    boxes = tuple(
        (left * width, top * height, right * width, bottom * height) for top, left, bottom, right in objects["bbox"]
    )
    crowd = tuple(bool(flag) for flag in objects.get("is_crowd", [False] * len(boxes)))
    areas = tuple((right - left) * (bottom - top) for left, top, right, bottom in boxes)
    ids = tuple(int(label) for label in objects["label"])
    return Objects(boxes=boxes, ids=ids, crowd=crowd, areas=areas, image_id=number, size=size)


def _space(builder: str, names: list[str]) -> LabelSpace | None:
    """The label space of a builder's class names: one that the zoo knows, where the names are its names."""
    if not names:
        return None
    own = LabelSpace(f"the labels of {builder!r}", dict(enumerate(names)))
    known = (label_space(name) for name in known_spaces())
    return next((space for space in known if space and space.names == own.names), own)


def _is_input(feature: Any) -> bool:
    return type(feature).__name__ in ("Image", "Text")


def _labels(features: Mapping[str, Any]) -> list[str]:
    return [name for name, feature in features.items() if type(feature).__name__ == "ClassLabel"]


def _field(builder: Any, features: Mapping[str, Any], name: str) -> Any:
    if name not in features:
        raise DatasetError(f"tfds: {builder.name!r} has no feature {name!r}; it has {', '.join(map(repr, features))}")
    return features[name]


def _first(builder: Any, names: list[str]) -> str:
    if not names:
        features = ", ".join(map(repr, builder.info.features))
        raise DatasetError(
            f"tfds: {builder.name!r} has no picture, text or label that can be told from its features: {features}"
        )
    return names[0]
