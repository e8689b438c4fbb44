"""Flowers with Inception-V3: a dense layer behind dropout, trained in epochs on features that are computed once.

python examples/recipes/flowers_inception_v3.py [--data folder:flowers/] [--weights PATH|random]
"""

from __future__ import annotations

from collections.abc import Sequence

from recipe import arguments, backbone, data_of, show


def main(argv: Sequence[str] | None = None) -> None:
    chosen = arguments(__doc__, argv, data="tfds:tf_flowers", epochs=20)
    model = backbone("inception_v3.keras_in1k", chosen)
    flowers = model.fit(**data_of(chosen), head="linear", dropout=0.5, epochs=chosen.epochs)
    show(flowers, chosen)


if __name__ == "__main__":
    main()
