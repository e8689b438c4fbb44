"""Scenes: handwritten digits scattered over made-up backgrounds among clutter, drawn by seed, with COCO JSON."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from zoo import Dataset, DatasetOptions, Example, Objects
from zoo.labels import LabelSpace
from zoo_tiny.digits import NAMES, arrays
from zoo_tiny.samples import drawn, note_of, split_of

COUNT = {"train": 256, "test": 160}
SEED = {"train": 1, "test": 2}
ANNOTATION = "annotation.json"
SIDES = (112, 176)  # the shortest and the longest side of a scene, in pixels
DIGIT_SIDES = (20, 72)  # the smallest and the largest digit with its margin, in pixels
MOST_DIGITS = 8


@dataclass(frozen=True)
class Scene:
    """A picture uint8 [h, w, 3] with the digits in it. boxes: int64 [k, 4] (left, top, right, bottom) in pixels, right
    and bottom one beyond the last pixel with ink; digits: int64 [k].
    """

    pixels: np.ndarray
    boxes: np.ndarray
    digits: np.ndarray


class Scenes(Dataset):
    """The pictures of a COCO JSON; its category ids are 1..10 for the digits 0..9, as COCO counts from 1."""

    name = "tiny_scenes"
    modality = "image"
    targets = "boxes"

    def __init__(self, folder: Path, split: str) -> None:
        self.split = split
        self.note = note_of(split)
        content = json.loads((folder / ANNOTATION).read_text(encoding="utf-8"))
        self.labels = LabelSpace("scenes", {row["id"]: row["name"] for row in content["categories"]})
        found: dict[int, list[dict]] = {image["id"]: [] for image in content["images"]}
        for row in content["annotations"]:
            found[row["image_id"]].append(row)
        self._examples = [
            Example(image["file_name"], folder / image["file_name"], _objects(image, found[image["id"]]))
            for image in content["images"]
        ]

    def __len__(self) -> int:
        return len(self._examples)

    def __iter__(self) -> Iterator[Example]:
        return iter(self._examples)


def open_scenes(path: str, options: DatasetOptions) -> Scenes:
    """The test split, or the one that is asked for; raises DatasetError for another one."""
    split = split_of("tiny_scenes", path, options)
    return Scenes(drawn(f"scenes-{split}", functools.partial(_write, split=split)), split)


def scenes(split: str, count: int, seed: int) -> Iterator[Scene]:
    """`count` scenes with digits of `split` alone; the same for the same seed."""
    inks, digits = arrays(split)
    random = np.random.default_rng(seed)
    for _ in range(count):
        yield _scene(random, inks, digits)


def _scene(random: np.random.Generator, inks: np.ndarray, digits: np.ndarray) -> Scene:
    width, height = random.integers(*SIDES, size=2, endpoint=True)
    canvas = _background(random, width, height)
    _clutter(random, canvas)
    pixels = np.asarray(canvas, np.float32)
    boxes: list[tuple[int, int, int, int]] = []
    chosen: list[int] = []
    for _ in range(random.integers(1, MOST_DIGITS, endpoint=True)):
        index = random.integers(len(inks))
        mask = _turned(random, inks[index])
        box = _place(random, mask, boxes, width, height)
        if box:
            boxes.append(box)
            chosen.append(int(digits[index]))
            pixels = _inked(random, pixels, mask, box)
    pixels = pixels + random.normal(0, random.uniform(2, 10), pixels.shape)
    return Scene(pixels.clip(0, 255).astype(np.uint8), np.array(boxes, np.int64).reshape(-1, 4), np.array(chosen))


def _background(random: np.random.Generator, width: int, height: int) -> Image.Image:
    """Soft clouds of colour around one shade."""
    shade, contrast = random.uniform(30, 225, 3), random.uniform(5, 45)
    coarse = shade + random.normal(0, contrast, (*random.integers(2, 7, 2), 3))
    return Image.fromarray(coarse.clip(0, 255).astype(np.uint8)).resize((width, height), Image.Resampling.BICUBIC)


def _clutter(random: np.random.Generator, canvas: Image.Image) -> None:
    """Lines, arcs and boxes, which look like parts of digits and are none."""
    draw = ImageDraw.Draw(canvas)
    for _ in range(random.integers(0, 9)):
        x, y = random.uniform(0, canvas.width), random.uniform(0, canvas.height)
        w, h = random.uniform(6, 50, 2)
        colour = tuple(random.integers(0, 256, 3).tolist())
        thick = int(random.integers(1, 5))
        kind = random.integers(4)
        if kind == 0:
            draw.line([x, y, x + random.uniform(-50, 50), y + h], colour, thick)
        elif kind == 1:
            start = random.uniform(0, 360)
            draw.arc([x, y, x + w, y + h], start, start + random.uniform(60, 250), colour, thick)
        elif kind == 2:
            draw.rectangle([x, y, x + w, y + h], outline=colour, width=thick)
        else:
            corners = random.uniform(0, 40, (4, 2)) + np.array([x, y])
            draw.line([tuple(corner) for corner in corners], colour, thick, joint="curve")


def _turned(random: np.random.Generator, ink: np.ndarray) -> np.ndarray:
    """The digit in some size, a little turned, cut to its ink: float32 [h, w] in 0..1."""
    side = round(float(np.exp(random.uniform(*np.log(DIGIT_SIDES)))))
    wide = max(8, round(side * random.uniform(0.8, 1.2)))
    large = Image.fromarray(np.pad(ink, 1)).resize((wide, side), Image.Resampling.BICUBIC)
    large = large.rotate(random.uniform(-12, 12), Image.Resampling.BILINEAR, expand=True)
    mask = np.asarray(large, np.float32) / 255
    rows, columns = np.flatnonzero(mask.max(1) > 0.3), np.flatnonzero(mask.max(0) > 0.3)
    return mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _place(
    random: np.random.Generator, mask: np.ndarray, taken: list[tuple[int, int, int, int]], width: int, height: int
) -> tuple[int, int, int, int] | None:
    """A box for the digit that shares little with the others, or None where ten tries find none."""
    h, w = mask.shape
    for _ in range(10):
        left, top = int(random.integers(0, width - w + 1)), int(random.integers(0, height - h + 1))
        box = (left, top, left + w, top + h)
        if all(_shared(box, other) < 0.15 for other in taken):
            return box
    return None


def _shared(box: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> float:
    """The area that two boxes share, as a part of the smaller one."""
    across = min(box[2], other[2]) - max(box[0], other[0])
    down = min(box[3], other[3]) - max(box[1], other[1])
    smaller = min((b[2] - b[0]) * (b[3] - b[1]) for b in (box, other))
    return max(across, 0) * max(down, 0) / smaller


def _inked(
    random: np.random.Generator, pixels: np.ndarray, mask: np.ndarray, box: tuple[int, int, int, int]
) -> np.ndarray:
    """The picture with the digit painted into `box`, in a colour that stands off from what lies below."""
    left, top, right, bottom = box
    below = pixels[top:bottom, left:right]
    contrast = random.uniform(35, 85)
    colour = random.uniform(0, 255, 3)
    while abs(colour.mean() - below.mean()) < contrast:
        colour = random.uniform(0, 255, 3)
    alpha = mask[..., None] * random.uniform(0.75, 1)
    pixels = pixels.copy()
    pixels[top:bottom, left:right] = below * (1 - alpha) + colour * alpha
    return pixels


def _objects(image: dict, rows: list[dict]) -> Objects:
    corners = [(x, y, x + w, y + h) for x, y, w, h in (row["bbox"] for row in rows)]
    return Objects(
        boxes=tuple(corners),
        ids=tuple(row["category_id"] for row in rows),
        crowd=tuple(bool(row["iscrowd"]) for row in rows),
        areas=tuple(row["area"] for row in rows),
        image_id=image["id"],
        size=(image["width"], image["height"]),
    )


def _write(folder: Path, split: str) -> None:
    images, annotations = [], []
    for number, scene in enumerate(scenes(split, COUNT[split], SEED[split]), start=1):
        name = f"scene_{number:03d}.png"
        Image.fromarray(scene.pixels).save(folder / name)
        height, width = scene.pixels.shape[:2]
        images.append({"id": number, "file_name": name, "width": width, "height": height})
        for (left, top, right, bottom), digit in zip(scene.boxes.tolist(), scene.digits.tolist(), strict=True):
            w, h = right - left, bottom - top
            row = {"image_id": number, "category_id": digit + 1, "bbox": [left, top, w, h], "area": w * h, "iscrowd": 0}
            annotations.append({"id": len(annotations) + 1, **row})
    categories = [{"id": digit + 1, "name": name} for digit, name in enumerate(NAMES)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (folder / ANNOTATION).write_text(json.dumps(content, indent=1), encoding="utf-8")
