"""Detectors' answers in the forms that TensorFlow's own publishers gave them, as the four tensors of `boxes`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# By the TensorFlow Object Detection API; the modules of TF1's Hub number classes under another name and give no count.
KEYS = {
    "boxes": ("detection_boxes",),
    "scores": ("detection_scores",),
    "classes": ("detection_classes", "detection_class_labels"),
    "count": ("num_detections",),
}


def detections(result: Any) -> dict[str, Any] | str:
    """`boxes`, `scores`, `classes` and `count` as `zoo.Backbone.forward` gives them; else what `result` is, in words.

    result: a dict, or a tuple in that order (EfficientDet-Lite). Without a count all boxes are real; without an axis
    for the batch, as in TF1's Hub, the answer is for the one picture that it takes.
    """
    if isinstance(result, tuple | list) and len(result) == len(KEYS):
        return dict(zip(KEYS, result, strict=True))
    if not isinstance(result, Mapping):
        return f"a {type(result).__name__}, neither a dict of detections nor a tuple of four"
    found = {name: next((result[key] for key in keys if key in result), None) for name, keys in KEYS.items()}
    missing = [KEYS[name][0] for name, value in found.items() if value is None and name != "count"]
    if missing:
        return f"a dict without {', '.join(map(repr, missing))}; it has {sorted(result)}"
    return _batched(found)


def _batched(found: dict[str, Any]) -> dict[str, Any]:
    from zoo.framework import tf

    boxes, count = found["boxes"], found["count"]
    if boxes.shape.rank == 2:
        found = {name: value if value is None else tf.expand_dims(value, 0) for name, value in found.items()}
        count = count if count is None else tf.reshape(count, [1])
    if count is None:
        shape = tf.shape(found["scores"])
        count = tf.fill([shape[0]], tf.cast(shape[1], tf.float32))
    return found | {"count": count, "classes": tf.cast(found["classes"], tf.float32)}
