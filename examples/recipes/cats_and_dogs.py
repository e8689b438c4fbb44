"""Cats and dogs: two classes, of which one may be rare; by weighted binary cross-entropy it counts as much.

python examples/recipes/cats_and_dogs.py [--data folder:pets/] [--weights PATH|random]
"""

from __future__ import annotations

from collections.abc import Sequence

from recipe import arguments, backbone, data_of, show


def main(argv: Sequence[str] | None = None) -> None:
    chosen = arguments(__doc__, argv, data="tfds:cats_vs_dogs", epochs=10)
    model = backbone("mobilenet_v2.keras_in1k", chosen)
    weighted = {"loss": "binary_crossentropy", "pos_weight": "balanced"}
    pets = model.fit(**data_of(chosen), head="linear", epochs=chosen.epochs, **weighted)
    show(pets, chosen)


if __name__ == "__main__":
    main()
