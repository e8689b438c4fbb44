"""Object detectors of KerasHub: their boxes, counted in the picture that went in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zoo.errors import BackboneError


def detector(model: Any, before: Callable[[Any], Any]) -> Callable[[Any, bool], dict[str, Any]]:
    """`run(batch, training)` that gives `boxes` as yxyx in 0..1 of the picture, `scores`, `classes` and `count`.

    model: an `ObjectDetector` with its own non-maximum suppression; before: its own preparation of a batch.
    """
    from zoo.framework import keras, tf

    def run(batch: Any, training: bool) -> dict[str, Any]:
        if training:
            raise BackboneError("a KerasHub detector is trained with its own losses (keras_hub), not through the zoo")
        if batch.shape[0] is None:  # its non-maximum suppression wants to know
            raise BackboneError("a KerasHub detector takes batches of a known size: set 'batch = 1' in its row's input")
        seen = before(batch)
        found = model.decode_predictions(model(seen, training=False), seen)
        pixels = keras.utils.bounding_boxes.convert_format(
            found["boxes"], source=_source(model), target="yxyx", height=seen.shape[1], width=seen.shape[2]
        )
        side = tf.constant([seen.shape[1], seen.shape[2]] * 2, tf.float32)
        whole = tf.cast(tf.shape(batch)[1:3], tf.float32)
        boxes = _whole_picture(tf.cast(pixels, tf.float32) / side, whole, side[:2], model.preprocessor.image_converter)
        return {
            "boxes": tf.clip_by_value(boxes, 0.0, 1.0),
            "scores": tf.maximum(tf.cast(found["confidence"], tf.float32), 0.0),  # -1 where nothing was found
            "classes": tf.maximum(tf.cast(found["labels"], tf.float32), 0.0),
            "count": tf.cast(tf.reshape(found["num_detections"], [-1]), tf.float32),
        }

    return run


def _source(model: Any) -> str:
    """The form of the boxes that `decode_predictions` gives; D-FINE turns its own into yxyx, whatever it is set to."""
    return "yxyx" if "DFine" in type(model).__name__ else str(model.bounding_box_format)


def _whole_picture(unit: Any, whole: Any, side: Any, converter: Any) -> Any:
    """`unit`, in 0..1 of what the network saw, as 0..1 of the whole picture: the converter crops or pads around it."""
    from zoo.framework import tf

    if converter.crop_to_aspect_ratio or converter.pad_to_aspect_ratio:
        as_wide = tf.stack([whole[1] * side[0] / side[1], whole[0] * side[1] / side[0]])
        pick = tf.minimum if converter.crop_to_aspect_ratio else tf.maximum
        window = pick(whole, as_wide)  # (height, width) of what was seen, in pixels of the picture
        origin = (whole - window) / 2
        return (tf.tile(origin, [2]) + unit * tf.tile(window, [2])) / tf.tile(whole, [2])
    return unit
