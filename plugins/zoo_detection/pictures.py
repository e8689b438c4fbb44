"""Where the pictures of a COCO JSON lie."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo.errors import DatasetError


def locate(file: Path, root: Path, images: Sequence[dict[str, Any]]) -> list[Path]:
    """The path of each image of `file`, none of them opened.

    Looked for under `root` as `file_name` says, then as the last two parts of `coco_url` say ("val2017/1.jpg"), then
    in any subfolder. Raises DatasetError that names those that are missing, or that lie in two subfolders.
    """
    paths = [_direct(root, image) for image in images]
    if all(paths):
        return [path for path in paths if path]
    elsewhere = _by_name(root)
    missing = []
    for place, image in enumerate(images):
        if paths[place]:
            continue
        # A `file_name` with folders of its own must keep them.
        wanted = Path(image["file_name"])
        found = [path for path in elsewhere.get(wanted.name, ()) if path.parts[-len(wanted.parts) :] == wanted.parts]
        if len(found) > 1:
            raise DatasetError(
                f"{str(file)!r}: picture {image['file_name']!r} lies in {str(found[0].parent)!r} and in "
                f"{str(found[1].parent)!r}; write the folder into its 'file_name'"
            )
        paths[place] = found[0] if found else None
        if not found:
            missing.append(image["file_name"])
    if missing:
        raise DatasetError(
            f"{str(file)!r}: {len(missing)} of {len(images)} pictures are missing under {str(root)!r}, "
            f"such as {missing[0]!r}"
        )
    return [path for path in paths if path]


def _direct(root: Path, image: dict[str, Any]) -> Path | None:
    address = str(image.get("coco_url", "")).split("/")
    for relative in (image["file_name"], "/".join(address[-2:])):
        path = root / relative
        if relative and path.is_file():
            return path
    return None


def _by_name(root: Path) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for folder, subfolders, names in os.walk(root):
        subfolders.sort()  # an error names the same two folders every time
        for name in names:
            found.setdefault(name, []).append(Path(folder, name))
    return found
