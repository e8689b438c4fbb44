"""The sides of `transfer.py`: each trains a classifier once, in a process of its own, and prints what it reached.

    python recipes.py SIDE DATA ASSETS [SEED]      (transfer.py starts it)

DATA holds train/ and val/, a folder for each class in both; every side trains on all of train/ and is judged on all of
val/. ASSETS holds the SavedModel of MobileNetV2 without its head, MiniLM, and AG News. The last line of standard output
is a JSON object: `accuracy` on what was held out, after the last epoch, `parts`, seconds since the process was started,
and whether `tensorflow` was imported. A side imports only what it runs: importing is part of its time.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("BEGUN", str(time.time()))  # by hand the start of Python is not in it

SIZE = 224
MODULE = Path("models", "mobilenet_v2_100_224", "feature_vector")
EQUAL = {"epochs": 6, "batch_size": 367, "dropout": 0.5}

# What a side gives: its accuracy, and seconds since the start of what it did one after the other.
Found = tuple[float, dict[str, float]]


def hub_layer(data: Path, assets: Path, seed: int, epochs: int, batch_size: int) -> Found:
    """The usual recipe, as tensorflow.org has it (tutorials/images/transfer_learning_with_hub, hub/tf2_saved_model):
    a frozen `hub.KerasLayer`, dropout 0.5 and a dense layer in `tf_keras`, Adam at its default rate of 0.001, pictures
    read, decoded and resized by tf.data in each epoch on all cores, the next batch prepared meanwhile."""
    import tensorflow as tf
    import tensorflow_hub as hub
    import tf_keras

    imported = since_start()
    tf_keras.utils.set_random_seed(seed)
    classes = sorted(folder.name for folder in (data / "train").iterdir())
    model = tf_keras.Sequential(
        [
            hub.KerasLayer(str(assets / MODULE), input_shape=(SIZE, SIZE, 3), trainable=False),
            tf_keras.layers.Dropout(0.5),
            tf_keras.layers.Dense(len(classes)),
        ]
    )
    loss = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer="adam", loss=loss, metrics=["accuracy"])

    def read(file: Any, target: Any) -> Any:
        picture = tf.image.decode_jpeg(tf.io.read_file(file), channels=3)
        return tf.image.resize(picture, (SIZE, SIZE)) / 255.0, target

    def pictures(split: str, *, shuffled: bool) -> Any:
        files = [(str(file), target) for target, name in enumerate(classes) for file in of_class(data / split / name)]
        found = tf.data.Dataset.from_tensor_slices(tuple(map(list, zip(*files, strict=True))))
        if shuffled:
            found = found.shuffle(len(files), seed=seed)
        return found.map(read, tf.data.AUTOTUNE).batch(batch_size).prefetch(tf.data.AUTOTUNE)

    history = model.fit(
        pictures("train", shuffled=True), validation_data=pictures("val", shuffled=False), epochs=epochs, verbose=0
    ).history
    return history["val_accuracy"][-1], {"imports": imported, "trained": since_start()}


def usual(data: Path, assets: Path, seed: int) -> Found:
    """The usual recipe with 6 epochs of batches of 367."""
    return hub_layer(data, assets, seed, epochs=6, batch_size=367)


def usual_fair(data: Path, assets: Path, seed: int) -> Found:
    """The usual recipe with 12 epochs of batches of 32, from which it gets nearer to what its features can give."""
    return hub_layer(data, assets, seed, epochs=12, batch_size=32)


def zoo_equal(data: Path, assets: Path, seed: int) -> Found:
    """The zoo with the head, dropout, batch and epochs of `usual`."""
    return fit(data, assets, seed, head="linear", **EQUAL)


def zoo_defaults(data: Path, assets: Path, seed: int) -> Found:
    """The zoo with nothing said but the data."""
    return fit(data, assets, seed)


def zoo_tf(data: Path, assets: Path, seed: int) -> Found:
    """The same with features by TensorFlow, whatever is known to be faster."""
    return fit(data, assets, seed, runtime="tf")


def zoo_last(data: Path, assets: Path, seed: int) -> Found:
    """The zoo with the last two stages trained together with the head."""
    return fit(data, assets, seed, strategy="last")


def zoo_full(data: Path, assets: Path, seed: int) -> Found:
    """The zoo with all stages trained."""
    return fit(data, assets, seed, strategy="full")


def zoo_folds(data: Path, assets: Path, seed: int) -> Found:
    """The zoo with five-fold cross-validation on train/ alone; the accuracy is the mean over the folds."""
    import zoo

    model = zoo.get("classification", mobilenet(assets))
    imported = since_start()
    found = model.cross_validate(f"folder:{data / 'train'}", folds=5, seed=seed)
    return found["accuracy"], {"imports": imported, "trained": since_start()}


def zoo_again(data: Path, assets: Path, seed: int) -> Found:
    """A second fit on the same data with another head: `parts` tells of both."""
    import keras

    import zoo

    assert keras.backend.backend() == "tensorflow"
    model = zoo.get("classification", mobilenet(assets))
    imported = since_start()
    model.fit(f"folder:{data / 'train'}", validation=f"folder:{data / 'val'}", seed=seed)
    first = since_start()
    found = model.fit(f"folder:{data / 'train'}", validation=f"folder:{data / 'val'}", seed=seed, head="hidden")
    return found.history["val_accuracy"][-1], {"imports": imported, "first": first, "second": since_start()}


def zoo_news(data: Path, assets: Path, seed: int) -> Found:
    """The zoo on rows 1 to 1,000 of AG News' test.csv, judged on the next 500: title and description, MiniLM."""
    import csv

    import zoo

    with (assets / "data" / "ag_news" / "test.csv").open(encoding="utf-8", newline="") as file:
        rows = [(f"{title} {description}", int(number) - 1) for number, title, description in csv.reader(file)]
    texts, targets = map(list, zip(*rows[:1500], strict=True))
    weights = zoo.WeightsSpec(path=str(assets / "models" / "minilm_l6_v2"))
    outputs = {"features": zoo.OutputSpec(width=384, weights=weights)}
    spec = zoo.BackboneSpec(name="minilm", input=zoo.TextInput(), imports=("tensorflow_text",), outputs=outputs)
    model = zoo.get("classification", spec)
    imported = since_start()
    found = model.fit((texts[:1000], targets[:1000]), validation=(texts[1000:], targets[1000:]), seed=seed)
    return found.history["val_accuracy"][-1], {"imports": imported, "trained": since_start()}


def fit(data: Path, assets: Path, seed: int, runtime: str | None = None, **settings: Any) -> Found:
    import zoo

    model = zoo.get("classification", mobilenet(assets), runtime=runtime)
    imported = since_start()
    found = model.fit(f"folder:{data / 'train'}", validation=f"folder:{data / 'val'}", seed=seed, **settings)
    return found.history["val_accuracy"][-1], {"imports": imported, "trained": since_start()}


def mobilenet(assets: Path) -> Any:
    """What a user would write down of a module of their own."""
    import zoo

    features = zoo.OutputSpec(width=1280, weights=zoo.WeightsSpec(path=str(assets / MODULE)))
    return zoo.BackboneSpec(
        name="mobilenet_v2", input=zoo.ImageInput(size=(SIZE, SIZE), range=(0, 1)), outputs={"features": features}
    )


def of_class(folder: Path) -> Sequence[Path]:
    """The pictures in a folder."""
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in {".jpg", ".jpeg"})


def since_start() -> float:
    """Seconds since this process was started: `BEGUN` says when, in seconds since 1970."""
    return round(time.time() - float(os.environ["BEGUN"]), 2)


SIDES: dict[str, Callable[[Path, Path, int], Found]] = {
    side.__name__: side
    for side in (
        usual,
        usual_fair,
        zoo_equal,
        zoo_defaults,
        zoo_tf,
        zoo_again,
        zoo_folds,
        zoo_news,
        zoo_last,
        zoo_full,
    )
}


def main() -> None:
    side, data, assets, *seed = sys.argv[1:]
    accuracy, parts = SIDES[side](Path(data), Path(assets), int(seed[0]) if seed else 0)
    told = {"accuracy": round(float(accuracy), 4), "parts": parts, "tensorflow": "tensorflow" in sys.modules}
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
