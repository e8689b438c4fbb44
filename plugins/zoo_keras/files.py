"""A user's own Keras file as a backbone: a whole model in `.keras` or `.h5`, of Keras 3 or Keras 2."""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.archives import Limits
from zoo.errors import ArchiveError, BackboneError, ZooError
from zoo_keras.applications import build_application, read_weights, require_tensorflow
from zoo_keras.config import modernised, refuse_code
from zoo_keras.network import KerasBackbone

if TYPE_CHECKING:
    from zoo.framework import keras


class KerasFileBackbone(KerasBackbone):
    """A whole model; or weights alone, for the Keras Application that `spec.options["application"]` names.

    Its output is the model's own, or that of the layer (or the entry of a dict) which `key` in the spec names.
    Features that keep their place in the picture, [n, h, w, d], are averaged over it.
    """

    reads = ("keras", "keras_hdf5")

    def load(self) -> None:
        """Read the model; raises BackboneError that names the file and what is wrong, WeightsError for code in it."""
        if self._model is not None:
            return
        require_tensorflow(self.spec.name)
        file = self.files["weights"]
        config = self._config(file)
        if config is None:
            model = self._application()
        else:
            refuse_code(config, file, self.spec.name)
            model = self._read(file, config)
        self._model = self._bound(model)

    def forward(self, batch: Any, training: bool = False) -> dict[str, Any]:
        """See `zoo.Backbone.forward`."""
        self.load()
        assert self._model is not None
        result = self._model(batch, training=training)
        if isinstance(result, Mapping):
            result = self._entry(result)
        if isinstance(result, list | tuple):
            raise self._error(
                f"gives {len(result)} tensors; name a layer with 'key' in the spec's output {self.output!r}"
            )
        if self.output == "features" and len(result.shape) == 4:
            from zoo.framework import keras

            result = keras.ops.mean(result, axis=(1, 2))
        return {self.output: result}

    def _config(self, file: Path) -> Any:
        """The architecture that is written in the file, None where it holds weights alone."""
        if not file.is_file():
            raise self._error("is no Keras file")
        try:
            return _zipped_config(file) if zipfile.is_zipfile(file) else _hdf5_config(file)
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise self._error(f"is cut or damaged ({_short(error)}); fetch it again") from error

    def _application(self) -> keras.Model:
        if not self.spec.options.get("application"):
            raise self._error(
                "holds weights alone, no network; name the Keras Application that they are of: "
                'options.application = "MobileNetV2" in its row, or give a whole model (model.save)'
            )
        model = build_application(self)
        read_weights(self, model)
        return model

    def _read(self, file: Path, config: Any) -> keras.Model:
        from zoo.framework import keras
        from zoo.safety import trusts_code

        changed = modernised(config)
        try:
            with tempfile.TemporaryDirectory() as folder:
                if changed != config and not zipfile.is_zipfile(file):
                    file = _with_config(file, changed, Path(folder) / "model.h5")
                elif not file.name.endswith((".keras", ".h5", ".hdf5")):  # Keras tells the form by the name alone
                    ending = ".keras" if zipfile.is_zipfile(file) else ".h5"
                    file = Path(shutil.copyfile(file, Path(folder) / f"model{ending}"))
                return keras.models.load_model(str(file), compile=False, safe_mode=not trusts_code(file))
        except ZooError:
            raise
        except Exception as error:
            how = "if a layer of it is your own, register that with keras.saving.register_keras_serializable first"
            raise self._error(f"can't be loaded by Keras {keras.__version__} ({_short(error)}); {how}") from error

    def _bound(self, model: keras.Model) -> keras.Model:
        """`model`, cut off after the layer that the spec names."""
        from zoo.framework import keras

        key = self.facts.key
        if key is None or (
            isinstance(model.outputs, list) and isinstance(model.output, Mapping) and key in model.output
        ):
            return model
        names = [layer.name for layer in model.layers]
        if key not in names:
            raise self._error(f"has no layer {key!r}; its last are {', '.join(map(repr, names[-5:]))}")
        return keras.Model(model.input, model.get_layer(key).output)

    def _entry(self, result: Mapping[str, Any]) -> Any:
        for key in (self.facts.key, self.output):
            if key in result:
                return result[key]
        if len(result) == 1:
            return next(iter(result.values()))
        raise self._error(f"gives {sorted(result)}; name one with 'key' in the spec's output {self.output!r}")

    def _error(self, what: str) -> BackboneError:
        return BackboneError(f"backbone {self.spec.name!r}: the Keras file {str(self.files['weights'])!r} {what}")


def _zipped_config(file: Path) -> Any:
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        for needed in ("config.json", "model.weights.h5"):
            if needed not in names:
                raise KeyError(f"no {needed!r} in it")
        size, most = sum(member.file_size for member in archive.infolist()), Limits().of(file).size
        if size > most:
            raise ValueError(f"{size:,} bytes unpacked, more than the {most:,} that its own size allows")
        for name in names:
            if names.count(name) > 1 or name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split("/"):
                raise ArchiveError(f"{str(file)!r} holds {name!r}, twice or outside its folder; no Keras writes that")
        return json.loads(archive.read("config.json"))


def _hdf5_config(file: Path) -> Any:
    import h5py

    with h5py.File(file) as opened:
        written = opened.attrs.get("model_config")
    return None if written is None else json.loads(written)


def _with_config(file: Path, config: Any, copy: Path) -> Path:
    """A copy of an HDF5 file with another architecture written in it; the optimizer's state is left out."""
    import h5py

    with h5py.File(file) as old, h5py.File(copy, "w") as new:
        old.copy("model_weights", new)
        for name in ("keras_version", "backend"):
            if name in old.attrs:
                new.attrs[name] = old.attrs[name]
        new.attrs["model_config"] = json.dumps(config)
    return copy


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
