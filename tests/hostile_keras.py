"""Keras files that do more than compute: `FILES` maps what is hostile to a function that writes it into a folder."""

import json
import warnings
import zipfile
from pathlib import Path


def honest(file: Path) -> Path:
    import keras

    layers = [keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(3)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        keras.Sequential(layers).save(file)
    return file


def rewritten(folder: Path, change=None, **more: bytes) -> Path:
    """A `.keras` file whose architecture was changed: `change(layers)`, and with further members."""
    file = folder / "hostile.keras"
    with zipfile.ZipFile(honest(folder / "honest.keras")) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json" and change:
                config = json.loads(content)
                change(config["config"]["layers"])
                content = json.dumps(config).encode()
            new.writestr(name, content)
        for name, content in more.items():
            new.writestr(name, content)
    return file


def layer(kind: str, package: str = "keras.layers", **config: object):
    def change(layers):
        layers[1] = {"class_name": kind, "module": package, "config": {"name": "x", **config}, "registered_name": None}

    return lambda folder: rewritten(folder, change)


def activation(name: str, module: str):
    def change(layers):
        layers[2]["config"]["activation"] = {"class_name": "function", "module": module, "config": name}

    return lambda folder: rewritten(folder, change)


def with_lambda(ending: str):
    def write(folder: Path) -> Path:
        import keras

        code = keras.layers.Lambda(lambda x: x * 2, output_shape=(8, 8, 3))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            keras.Sequential([keras.Input((8, 8, 3)), code]).save(folder / f"hostile.{ending}")
        return folder / f"hostile.{ending}"

    return write


def linked(folder: Path) -> Path:
    """Weights that lie in another file."""
    import h5py

    file = honest(folder / "hostile.h5")
    with h5py.File(file, "a") as opened:
        names: list[str] = []
        opened["model_weights"].visit(names.append)
        kernel = next(name for name in names if name.endswith("kernel"))
        del opened["model_weights"][kernel]
        opened["model_weights"][kernel] = h5py.ExternalLink("/etc/secret.h5", "/all")
    return file


FILES = {
    "a Lambda in .keras": with_lambda("keras"),
    "a Lambda in .h5": with_lambda("h5"),
    "a function of the system": activation("system", "os"),
    "a function that fetches": activation("get_file", "keras.utils"),
    "a function that loads": activation("load_model", "keras.models"),
    "a class of its maker": layer("Popen", "subprocess"),
    "another program": layer("TFSMLayer", filepath="/tmp/other"),
    "a pickled network": layer("TorchModuleWrapper", module="gASV"),
    "a vocabulary from any file": layer("StringLookup", vocabulary="/etc/passwd"),
    "weights in another file": linked,
    "a member outside its folder": lambda folder: rewritten(folder, **{"../../escaped": b"x"}),
}
