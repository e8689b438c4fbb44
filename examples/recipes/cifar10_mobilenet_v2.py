"""CIFAR-10 with MobileNet-V2: pictures of 32 pixels, made as large as the network wants them, which is said.

python examples/recipes/cifar10_mobilenet_v2.py [--data folder:cifar/] [--weights PATH|random]
"""

from __future__ import annotations

from collections.abc import Sequence

from recipe import arguments, backbone, data_of, show


def main(argv: Sequence[str] | None = None) -> None:
    chosen = arguments(__doc__, argv, data="tfds:cifar10", epochs=15)
    model = backbone("mobilenet_v2.keras_in1k", chosen)
    print(f"pictures are resized to {model.spec.input.size}")
    ten = model.fit(**data_of(chosen), head="linear", epochs=chosen.epochs)
    show(ten, chosen)


if __name__ == "__main__":
    main()
