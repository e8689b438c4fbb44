"""The detectors fitted to a user's own pictures: from the shipped weights on, with a class for each of the labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from zoo.errors import OptionError
from zoo.framework import keras, tf
from zoo.transfer import Lesson
from zoo_tiny.scenes import Scene
from zoo_tiny.train.detection import INPUT, RECIPES, detector, loss, seen, target
from zoo_tiny.train.learning import learn
from zoo_tiny.train.saving import save_module

EPOCHS, BATCH, RATE = 30, 16, 2e-3  # the rate is half that of training from scratch


def fit_detector(lesson: Lesson, folder: Path) -> dict[str, list[float]]:
    """Train on `lesson`, and write the module into `folder`; returns the history by name, a value an epoch.

    All layers begin as in the file that the lesson names, the rows of labels that it knows too; other labels begin new.
    """
    keras.utils.set_random_seed(lesson.seed)
    labels = [lesson.labels.label(id) for id in range(len(lesson.labels))]
    network = RECIPES[lesson.spec.name.partition(".")[0]].build(len(labels))
    known = lesson.spec.outputs["boxes"].labels
    _begin(network, lesson.weights, labels, known if isinstance(known, tuple) else ())
    train, validation = (_arrays(scenes, network, len(labels)) for scenes in (lesson.train, lesson.validation))
    found = learn(
        network,
        *train,
        loss,
        epochs=lesson.epochs or EPOCHS,
        batch_size=lesson.batch_size or BATCH,
        rate=lesson.learning_rate or RATE,
        validation=validation,
    )
    history = {name: [float(value) for value in values] for name, values in found.items()}
    if not np.isfinite(history["loss"]).all():
        raise OptionError(
            f"the loss became {history['loss'][-1]} at learning_rate={lesson.learning_rate or RATE!r}; lower it"
        )
    save_module(network, detector(network), INPUT, folder)
    return history


def _begin(network: keras.Model, weights: Path, labels: Sequence[str], known: Sequence[str]) -> None:
    """Set `network` to the variables of the module at `weights`, whose heat has a row for each `known` label."""
    module = tf.saved_model.load(str(weights))
    rows = [(known.index(label), place) for place, label in enumerate(labels) if label in known]
    heads = [
        layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D) and layer.kernel_size == (1, 1)
    ]
    heat = heads[-2]  # the last but one: edges come after it
    for variable, shipped in zip(network.variables, module.variables, strict=True):
        values = shipped.numpy()
        if any(variable is own for own in heat.variables):
            fresh = variable.numpy().copy()
            for old, new in rows:
                fresh[..., new] = values[..., old]
            values = fresh
        variable.assign(values)


def _arrays(scenes: Sequence[tuple], network: keras.Model, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """What the network sees, uint8 [n, side, side, 3], and what it is to say of it."""
    pixels, targets = [], []
    for picture, objects in scenes:
        crowd = objects.crowd or (False,) * len(objects.ids)
        kept = [place for place, many in enumerate(crowd) if not many]
        boxes = np.array([objects.boxes[place] for place in kept], np.float64).reshape(-1, 4)
        digits = np.array([objects.ids[place] for place in kept], np.int64)
        pixels.append(seen(picture[None])[0])
        targets.append(target(Scene(picture, boxes, digits), network.output_shape[1], classes))
    return np.stack(pixels), np.stack(targets)
