"""COCO JSON, read and checked: every fault is an error that names the file and the entry."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from zoo import Objects
from zoo.errors import DatasetError

_ROUNDING = 1.0  # pixels by which COCO's own boxes may reach beyond their picture


@dataclass(frozen=True)
class Annotation:
    """A checked COCO JSON. images: as they stand there; categories: id -> name; objects: image id -> `Objects`."""

    images: list[dict[str, Any]]
    categories: dict[int, str]
    objects: dict[int, Objects]
    note: str

    @classmethod
    def read(cls, file: Path) -> Annotation:
        """The annotation in `file`; raises DatasetError."""
        content = _parsed(file)
        images = _unique(file, "images", content["images"], {"file_name": str})
        _require_distinct_pictures(file, images.values())
        categories = _unique(file, "categories", content["categories"], {"name": str})
        _unique(file, "annotations", content["annotations"], {})
        rows: dict[int, list[dict[str, Any]]] = {id: [] for id in images}
        beyond = 0
        for number, row in enumerate(content["annotations"]):
            fault = _fault(row, images, categories)
            if fault:
                raise DatasetError(f"{str(file)!r}: {_called('annotations', number, row)} {fault}")
            rows[row["image_id"]].append(row)
            beyond += _reaches_beyond(row["bbox"], images[row["image_id"]])
        objects = {id: _objects(rows[id], image) for id, image in images.items()}
        note = f"{beyond} of {len(content['annotations'])} boxes reach beyond their picture" if beyond else ""
        names = {id: category["name"] for id, category in categories.items()}
        return cls(list(images.values()), names, objects, note)


def _parsed(file: Path) -> dict[str, list[Any]]:
    try:
        content = json.loads(file.read_bytes())
    except OSError as error:
        raise DatasetError(f"{str(file)!r} can't be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{str(file)!r} is not JSON, or is cut off: {error}") from error
    if not isinstance(content, dict):
        raise DatasetError(f"{str(file)!r} is no COCO JSON: it holds a {_kind(content)}, not an object")
    for key in ("images", "annotations", "categories"):
        part = content.get(key)
        if not isinstance(part, list) or not all(isinstance(row, dict) for row in part):
            found = f"it has {', '.join(map(repr, content)) or 'none'}" if part is None else f"{key!r} is another thing"
            raise DatasetError(f"{str(file)!r} is no COCO JSON: it needs a list of objects {key!r}; {found}")
    return content


def _unique(file: Path, part: str, rows: Sequence[dict[str, Any]], wanted: dict[str, type]) -> dict[int, Any]:
    """The rows of a part by id, checked to have one each and the `wanted` fields."""
    by_id: dict[int, Any] = {}
    for number, row in enumerate(rows):
        if not _is_id(row.get("id")):
            raise DatasetError(f"{str(file)!r}: {part}[{number}] has id {row.get('id')!r}, not a whole number")
        if row["id"] in by_id:
            raise DatasetError(f"{str(file)!r}: id {row['id']} stands twice in {part!r}")
        for name, kind in wanted.items():
            if not isinstance(row.get(name), kind):
                raise DatasetError(f"{str(file)!r}: {_called(part, number, row)} has no {name!r}")
        by_id[row["id"]] = row
    return by_id


def _require_distinct_pictures(file: Path, images: Collection[dict[str, Any]]) -> None:
    if not images:
        raise DatasetError(f"{str(file)!r} lists no pictures: 'images' is empty")
    name, count = Counter(image["file_name"] for image in images).most_common(1)[0]
    if count > 1:
        raise DatasetError(f"{str(file)!r}: picture {name!r} stands {count} times in 'images'")


def _fault(row: dict[str, Any], images: dict[int, Any], categories: dict[int, Any]) -> str:
    """What is wrong with an annotation, or nothing."""
    for field, known, part in (("image_id", images, "images"), ("category_id", categories, "categories")):
        if not _is_id(row.get(field)) or row[field] not in known:
            return f"has {field} {row.get(field)!r}, which is not among {part!r}"
    box = row.get("bbox")
    if not isinstance(box, list) or len(box) != 4 or not all(map(_is_finite, box)):
        return f"has bbox {box!r}, not four numbers [left, top, width, height]"
    left, top, width, height = box
    if width < 0 or height < 0:
        return f"has bbox {box!r}, whose width or height is negative"
    wide, high = _size(images[row["image_id"]])
    if wide and high and (left > wide or top > high or left + width < 0 or top + height < 0):
        return f"has bbox {box!r}, wholly outside its picture of {wide} x {high}"
    if not _is_finite(row.get("area", 0)) or row.get("area", 0) < 0:
        return f"has area {row['area']!r}, not a number from 0"
    if row.get("iscrowd", 0) not in (0, 1):
        return f"has iscrowd {row['iscrowd']!r}, neither 0 nor 1"
    return ""


def _objects(rows: list[dict[str, Any]], image: dict[str, Any]) -> Objects:
    boxes = [tuple(map(float, row["bbox"])) for row in rows]
    return Objects(
        boxes=tuple((left, top, left + width, top + height) for left, top, width, height in boxes),
        ids=tuple(row["category_id"] for row in rows),
        crowd=tuple(bool(row.get("iscrowd", 0)) for row in rows),
        areas=tuple(float(row.get("area", box[2] * box[3])) for row, box in zip(rows, boxes, strict=True)),
        image_id=image["id"],
        size=_size(image),
    )


def _reaches_beyond(box: list[float], image: dict[str, Any]) -> bool:
    left, top, width, height = box
    wide, high = _size(image)
    outside = (-left, -top, left + width - wide, top + height - high)
    return bool(wide and high) and max(outside) > _ROUNDING


def _size(image: dict[str, Any]) -> tuple[int, int]:
    """(width, height), or (0, 0) where the file does not say."""
    width, height = image.get("width"), image.get("height")
    return (int(width), int(height)) if _is_id(width) and _is_id(height) else (0, 0)


def _called(part: str, number: int, row: dict[str, Any]) -> str:
    return f"{part}[{number}]" + (f" (id {row['id']})" if "id" in row else "")


def _is_id(value: Any) -> TypeGuard[int]:
    return type(value) is int


def _is_finite(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _kind(value: Any) -> str:
    return {list: "list", str: "string", type(None): "null"}.get(type(value), "number")
