"""CIFAR-10 to MNIST digits: what a small network learnt on colour pictures of things is kept to read digits.

    python examples/recipes/cifar_to_digits.py [--data folder:cifar/] [--then tiny_digits] [--weights mine.keras]

A network of Keras is trained on --data from random weights, its layers below the last become a backbone like any other,
and a head is fitted to --then on it: grey pictures of 28 pixels, made as large and coloured as those of CIFAR.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from recipe import arguments, backbone, data_of, show

import zoo
from zoo.inputs import Prepared, prepare_all

SIZE = 32
SEEN = zoo.ImageInput(size=(SIZE, SIZE), range=(0, 1), resize="stretch")


def main(argv: Sequence[str] | None = None) -> None:
    chosen = arguments(__doc__, argv, data="tfds:cifar10", epochs=10, then="tfds:mnist")
    learnt = chosen.data
    if chosen.weights in ("published", "random"):  # nobody publishes this network
        chosen.weights = str(trained(chosen))
    features = zoo.OutputSpec(width=128, weights=zoo.WeightsSpec(path=chosen.weights))
    chosen.data, chosen.split = chosen.then, None
    spec = zoo.BackboneSpec(name="own_cifar", input=SEEN, outputs={"features": features})
    print(f"a network that was trained on {learnt}, then")
    show(backbone(spec, chosen).fit(**data_of(chosen)), chosen)


def trained(chosen: Any) -> Path:
    """Three convolutions trained on `chosen.data`; the file of those layers that come before the last."""
    import zoo.framework  # TensorFlow, quietly, before Keras imports it loudly
    import keras  # isort: skip

    split = chosen.split or ("train" if chosen.data.startswith("tfds:") else None)
    dataset = zoo.get("classification", "tiny_cnn_s").dataset(chosen.data, split=split)
    prepared = list(prepare_all((example.input for example in dataset), SEEN))
    pairs = [(item.value, e.target) for item, e in zip(prepared, dataset, strict=True) if isinstance(item, Prepared)]
    pictures, targets = (np.array(part) for part in zip(*pairs, strict=True))
    keras.utils.set_random_seed(0)
    layers: list[Any] = [keras.Input((SIZE, SIZE, 3))]
    for width in (32, 64, 128):
        layers += [keras.layers.Conv2D(width, 3, padding="same", activation="relu"), keras.layers.MaxPooling2D()]
    lower = keras.Sequential([*layers, keras.layers.GlobalAveragePooling2D()])
    model = keras.Sequential([lower, keras.layers.Dense(int(targets.max()) + 1)])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False)
    found = model.fit(pictures, targets, epochs=chosen.epochs, verbose=0)
    print(f"trained on {len(targets)} pictures of {chosen.data}: loss {found.history['loss'][-1]:.3f}")
    file = Path(tempfile.mkdtemp(prefix="zoo-recipe-"), "own_cifar.keras")
    lower.save(file)
    return file


if __name__ == "__main__":
    main()
