"""A folder of dogs with Inception-V3 and augmentation: few pictures of each breed, so each is seen in several views.

python examples/recipes/dogs_inception_v3.py [--data folder:dogs/] [--weights PATH|random]
"""

from __future__ import annotations

from collections.abc import Sequence

from recipe import arguments, backbone, data_of, show


def main(argv: Sequence[str] | None = None) -> None:
    chosen = arguments(__doc__, argv, data="tfds:stanford_dogs", epochs=20)
    model = backbone("inception_v3.keras_in1k", chosen)
    dogs = model.fit(**data_of(chosen), head="linear", epochs=chosen.epochs, augment="light")
    show(dogs, chosen)


if __name__ == "__main__":
    main()
