"""What the sides of `throughput.py` run: one network in every form, and real inputs.

    python networks.py NAME FOLDER ASSETS      (throughput.py starts it)

The Keras Applications come with random weights, as published ones need a network. Their batch normalisation is set by
real pictures, so that activations are of an ordinary size, and their last layer is fitted to name each of these, so
that lower precisions can be told right from wrong. All forms hold the same weights.
"""

from __future__ import annotations

import json
import os
import sys
from itertools import cycle, islice
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

import zoo
from zoo.inputs import Prepared, prepare_all, sample_inputs

BATCH = 32
BATCHES = 4
RIDGE = 0.01  # of the mean square of the features
SCALE = 30  # of the logits: a trained network is sure of what it was trained on
APPLICATIONS = {"mobilenet_v2": ("MobileNetV2", 224), "inception_v3": ("InceptionV3", 299)}


def main() -> None:
    name, folder, assets = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    folder.mkdir(parents=True)
    if name in APPLICATIONS:
        application(*APPLICATIONS[name], folder, assets)
    else:
        encoder(folder, assets)


def application(name: str, size: int, folder: Path, assets: Path) -> None:
    """A Keras Application as `.keras`, SavedModel and ONNX file, and batches of real pictures for it."""
    import keras

    keras.utils.set_random_seed(0)
    spec = zoo.ImageInput(size=(size, size), range=(-1, 1))
    files = pictures(assets)
    prepared = [item.value for item in prepare_all(files, spec) if isinstance(item, Prepared)]
    values = np.stack(list(islice(cycle(prepared), BATCH * BATCHES)))
    model = getattr(keras.applications, name)(weights=None, classifier_activation=None)
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    for layer in norms:
        layer.momentum = 0.0  # one pass sets the statistics
    model(values[:BATCH], training=True)
    fit_head(model, values[: len(prepared)])
    np.save(folder / "batches.npy", values.reshape(BATCHES, BATCH, *values.shape[1:]))
    (folder / "pictures.json").write_text(json.dumps([str(file) for file in files]), encoding="utf-8")
    model.save(folder / "model.keras")
    model.export(folder / "saved_model", verbose=False)
    model.export(folder / "model.onnx", format="onnx", verbose=False)
    weights = zoo.WeightsSpec(path=str(folder / "saved_model"))
    outputs = {"logits": zoo.OutputSpec(labels="imagenet-1000", width=1000, weights=weights)}
    write_spec(zoo.BackboneSpec(name=folder.name, input=spec, outputs=outputs), folder)


def encoder(folder: Path, assets: Path) -> None:
    """MiniLM as it lies in the assets, and the sentences of the STS benchmark's test set in the order of the file."""
    where = assets / "models" / "minilm_l6_v2"
    lines = (assets / "data" / "stsbenchmark" / "sts-test.csv").read_text(encoding="utf-8").splitlines()
    texts = [text for line in lines for text in line.split("\t")[5:7]]
    (folder / "texts.json").write_text(json.dumps(texts), encoding="utf-8")
    (folder / "where").write_text(str(where), encoding="utf-8")
    outputs = {"features": zoo.OutputSpec(width=384, weights=zoo.WeightsSpec(path=str(where)))}
    spec = zoo.BackboneSpec(name="minilm", input=zoo.TextInput(), imports=("tensorflow_text",), outputs=outputs)
    write_spec(spec, folder)


def fit_head(model: Any, values: np.ndarray) -> None:
    """Set the last layer by ridge regression, in its dual form, so that picture k gets the class k."""
    import keras

    head = model.layers[-1]
    features = keras.Model(model.inputs, head.input).predict(values, batch_size=BATCH, verbose=0).astype(np.float64)
    centred = features - features.mean(0)
    gram = centred @ centred.T
    dual = np.linalg.inv(gram + RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram)))
    kernel = np.zeros(head.kernel.shape)
    kernel[:, : len(gram)] = SCALE * centred.T @ dual
    head.kernel.assign(kernel)
    head.bias.assign(-features.mean(0) @ kernel)


def write_spec(spec: zoo.BackboneSpec, folder: Path) -> None:
    """The facts, for the zoo's side."""
    (folder / "spec.json").write_text(spec.model_dump_json(), encoding="utf-8")


def pictures(assets: Path) -> list[Path]:
    """ImageNet pictures from the assets, or the photographs of scikit-learn."""
    folder = assets / "data" / "imagenet_500" / "images"
    return sorted(folder.iterdir())[: BATCH * BATCHES] if folder.is_dir() else sample_inputs("image")


if __name__ == "__main__":
    main()
