"""Flowers with VGG16: a hidden layer of 256 units on its features, stopped as soon as it learns nothing more.

python examples/recipes/flowers_vgg16.py [--data folder:flowers/] [--weights PATH|random]
"""

from __future__ import annotations

from collections.abc import Sequence

from recipe import arguments, backbone, data_of, show


def main(argv: Sequence[str] | None = None) -> None:
    chosen = arguments(__doc__, argv, data="tfds:tf_flowers", epochs=100)
    model = backbone("vgg16.keras_in1k", chosen)

    import keras

    stop = keras.callbacks.EarlyStopping(monitor="val_loss", patience=5, restore_best_weights=True)
    flowers = model.fit(**data_of(chosen), head="hidden", epochs=chosen.epochs, callbacks=[stop])
    show(flowers, chosen)


if __name__ == "__main__":
    main()
