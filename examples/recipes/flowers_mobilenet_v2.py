"""Flowers with MobileNet-V2: the network stays as it is, and a head is solved on its features.

python examples/recipes/flowers_mobilenet_v2.py [--data folder:flowers/] [--weights PATH|random]
"""

from __future__ import annotations

from collections.abc import Sequence

from recipe import arguments, backbone, data_of, show


def main(argv: Sequence[str] | None = None) -> None:
    chosen = arguments(__doc__, argv, data="tfds:tf_flowers", epochs=0)
    model = backbone("mobilenet_v2.keras_in1k", chosen)
    flowers = model.fit(**data_of(chosen), epochs=chosen.epochs or None)  # without epochs: solved to its optimum
    show(flowers, chosen)


if __name__ == "__main__":
    main()
