"""Facts: frozen specs of backbones, tasks, runtimes and datasets; they load in milliseconds and compute nothing.

A loader is a `"module:Class"` string, imported only when the thing is used, so that listing never imports a framework.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from zoo.labels import SIZES, misspelt

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]*$")]
Loader = Annotated[str, Field(pattern=r"^[\w.]+:\w+$")]
Modality = Literal["image", "text"]
DatasetSetting = Literal["split", "input_column", "label_column", "columns", "labels"]

# A SavedModel folder is the common form of weights: whoever registers one from data need not name its adapter.
SAVED_MODEL_LOADER = "zoo_tensorflow.savedmodel:SavedModelBackbone"


class Spec(BaseModel):
    """The common ground of all facts: frozen, and an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class WeightsSpec(Spec):
    """Where the files of one module lie. All places hold the same files; they are tried in this order.

    path: a local file or folder; `$VAR` and `~` are expanded, and a relative one counts from its catalogue.
    tfhub: a tfhub.dev address, `https://tfhub.dev/PUBLISHER/.../VERSION`.
    kaggle: a Kaggle handle, `OWNER/MODEL/FRAMEWORK/VARIATION/VERSION`.
    url: the address of a single file (Keras Applications).
    sha256, md5: the digest of that single file, where its publisher states one.
    """

    path: str | None = None
    tfhub: str | None = None
    kaggle: str | None = None
    url: str | None = None
    sha256: str | None = None
    md5: str | None = None

    @property
    def handles(self) -> tuple[str, ...]:
        """The remote names of these weights, in the order in which they are tried."""
        return tuple(handle for handle in (self.tfhub, self.kaggle, self.url) if handle)


class ImageInput(Spec):
    """What a network wants to see: pixels are scaled to `range`, then (x - mean) / std, channels ordered.

    size: (height, width), or None where the network takes any size.
    range: what black and white become, (0, 1), (-1, 1), (0, 255); None where the publisher does not say.
    mean, std: one value a channel in the order of `channels`, in units of `range`.
    resize: "crop" takes the centre square of `crop` times the short side, "stretch" the whole picture without
        keeping its shape, "pad" the whole picture in the top left corner with black below or right of it, "none"
        leaves the size alone.
    batch: the only batch size the network takes, or None for any.
    """

    kind: Literal["image"] = "image"
    size: tuple[int, int] | None = None
    dtype: Literal["float32", "uint8"] = "float32"
    range: tuple[float, float] | None = (0.0, 1.0)
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    channels: Literal["rgb", "bgr", "grey"] = "rgb"
    resize: Literal["crop", "stretch", "pad", "none"] = "crop"
    crop: float = Field(default=0.875, gt=0, le=1)
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos"] = "bilinear"
    batch: int | None = Field(default=None, ge=1)

    @model_validator(mode="before")
    @classmethod
    def _implied(cls, facts: Any) -> Any:
        """What follows where nothing is said: no size means no resizing, whole numbers mean 0..255."""
        if not isinstance(facts, dict):
            return facts
        implied: dict[str, Any] = {} if facts.get("size") else {"resize": "none"}
        if facts.get("dtype") == "uint8":
            implied["range"] = (0.0, 255.0)
        return implied | facts

    @model_validator(mode="after")
    def _consistent(self) -> ImageInput:
        if self.size is None and self.resize != "none":
            raise ValueError("an input without size needs resize = 'none'")
        if self.range is not None and self.range[0] >= self.range[1]:
            raise ValueError(f"range {list(self.range)} runs from black to white: the first must be the smaller")
        if self.dtype == "uint8" and (self.mean or self.std or self.range not in (None, (0.0, 255.0))):
            raise ValueError("a uint8 input has range [0, 255] and neither mean nor std")
        return self

    @property
    def depth(self) -> int:
        """The number of colour channels."""
        return 1 if self.channels == "grey" else 3


class TextInput(Spec):
    """What a text encoder wants to read: UTF-8 strings, or what its `preprocessor` module makes of them.

    length: to how many tokens the preprocessor cuts or fills up a text, where its publisher says so.
    """

    kind: Literal["text"] = "text"
    preprocessor: WeightsSpec | None = None
    length: int | None = Field(default=None, ge=1)
    batch: int | None = Field(default=None, ge=1)


class OutputSpec(Spec):
    """One thing that a backbone offers, and what its numbers mean.

    labels: the name of a label space ("imagenet-1001", "coco-91", ...) or the label names in column order.
    width: the size of the last axis of `logits`, `features` and `feature_maps`.
    activation: what has been applied to logits already.
    boxes: the form of box coordinates; "yxyx" is (top, left, bottom, right); "unit" counts in 0..1 of the network's
        input, "pixel" in its pixels.
    weights: where its module lies, if not in a module shared with other outputs.
    signature, key: the function and the entry of a dict that hold it, where the module's form does not say.
    returns: all entries of the dict or tuple that the module returns, where its publisher lists them.
    fine_tunable: whether its publisher made it to be trained further; None where nothing is said.
    source: the page that these facts are from, if not the backbone's.
    """

    labels: str | tuple[str, ...] | None = None
    width: int | None = Field(default=None, ge=1)
    activation: Literal["none", "softmax", "sigmoid"] = "none"
    boxes: Literal["yxyx_unit", "xyxy_unit", "yxyx_pixel", "xyxy_pixel"] = "yxyx_unit"
    weights: WeightsSpec
    signature: str | None = None
    key: str | None = None
    returns: tuple[str, ...] = ()
    fine_tunable: bool | None = None
    source: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> OutputSpec:
        """Labels that contradict each other, or the width, would put wrong names under right answers."""
        if isinstance(self.labels, tuple):
            twice = next((name for name in self.labels if self.labels.count(name) > 1), None)
            if twice is not None:
                raise ValueError(f"label {twice!r} stands for two classes; give each a name of its own")
            size: int | None = len(self.labels)
        else:
            if self.labels and (near := misspelt(self.labels)):
                raise ValueError(f"no label space is named {self.labels!r}; did you mean {near!r}?")
            size = SIZES.get(self.labels or "")
        if self.width is not None and size is not None and self.width != size:
            what = f"{self.labels!r} has {size} classes" if isinstance(self.labels, str) else f"{size} labels are given"
            raise ValueError(f"width is {self.width}, but {what}")
        return self


class Published(Spec):
    """A figure that somebody published, as a fraction: 0.78, not 78 %."""

    dataset: str
    split: str
    metric: str
    value: float
    source: str
    note: str = ""


class BackboneSpec(Spec):
    """A pre-trained network: what it takes, what it offers under which name, and where it comes from.

    name: `architecture.tag`; aliases: bare names and handles that mean this one and no other.
    architecture, trained_on: as its publisher calls them; languages: of texts, as ISO codes or "multilingual".
    params: the number of its parameters, where it is published.
    source: where these facts are from, unless `notes` says otherwise.
    notes: fact ("input.range", "outputs.logits.width") -> where it is from, or what must be known about it.
    unstated: facts that its publisher does not say; they have no value here, or the zoo's default.
    unread: why no form of the module is known that the zoo can run; empty for all that run. It fits no task.
    companions: handle -> what it is, for modules that belong to this network and answer no task.
    imports: modules that must be imported before the weights are read (`tensorflow_text` registers its ops so).
    options: facts for the loader alone, such as the Keras class to build.
    trainer: a `zoo.transfer.whole.Trainer`, which trains the network whole with a loss of its own; None where there is
        none, as with most published networks.
    """

    name: Name
    aliases: tuple[str, ...] = ()
    family: str = ""
    architecture: str = ""
    trained_on: str = ""
    languages: tuple[str, ...] = ()
    params: int | None = Field(default=None, ge=1)
    licence: str = ""
    source: str = ""
    notes: dict[str, str] = Field(default_factory=dict)
    unstated: tuple[str, ...] = ()
    unread: str = ""
    companions: dict[str, str] = Field(default_factory=dict)
    input: Annotated[ImageInput | TextInput, Field(discriminator="kind")]
    outputs: dict[str, OutputSpec] = Field(min_length=1)
    published: tuple[Published, ...] = ()
    imports: tuple[str, ...] = ()
    loader: Loader = SAVED_MODEL_LOADER
    options: dict[str, Any] = Field(default_factory=dict)
    trainer: Loader | None = None


class OptionSpec(Spec):
    """A setting of a task's predictions, such as detection's `conf`; its type is its default's."""

    name: str
    default: float | int | str
    help: str


class TaskSpec(Spec):
    """What somebody wants done.

    ready: outputs that answer the task as they are; trainable: outputs on which the task can build its head.
    targets: what a dataset must hold for this task to be measured ("class", "boxes", "similarity", ...).
    """

    name: Name
    help: str = ""
    modalities: tuple[Modality, ...]
    ready: tuple[str, ...]
    trainable: tuple[str, ...] = ()
    targets: str
    options: tuple[OptionSpec, ...] = ()
    loader: Loader


class RuntimeSpec(Spec):
    """How numbers are computed. requires: modules that must be importable; install: the command that brings them.

    exports: the formats that its plugin can write models in, each with the loader of a `zoo.export.Exporter`.
    reads: the formats of which it opens networks of pictures by itself, without TensorFlow.
    """

    name: Name
    help: str = ""
    reads: tuple[str, ...] = ()
    precisions: tuple[str, ...] = ("fp32",)
    requires: tuple[str, ...] = ()
    install: str = ""
    exports: dict[str, Loader] = Field(default_factory=dict)
    loader: Loader


class FormatSpec(Spec):
    """A form in which weights lie on disk, and the backbone that reads it.

    holds: patterns of file names, one of which lies in every folder of this form.
    endings: how names of files of this form end; starts: the bytes in hex that stand in them at `offset`.
    loader: a `Backbone` whose `reads` has this form's name.
    """

    name: Name
    help: str = ""
    holds: tuple[str, ...] = ()
    endings: tuple[str, ...] = ()
    starts: Annotated[str, Field(pattern=r"^([0-9a-f]{2})*$")] = ""
    offset: int = Field(default=0, ge=0)
    loader: Loader


class DatasetSpec(Spec):
    """A source of examples: a scheme that takes a path (`folder:PATH`), or a named set that comes with a plugin.

    loader: a callable `(path: str, options: DatasetOptions) -> Dataset`; a named set gets an empty path.
    samples: whether the benchmark may take it, by itself, for backbones of the same label space.
    modality, targets: of its examples; None where the model that they are for, or the examples themselves, say it.
    endings: what plain paths of this scheme end with (".csv", or "/" for a folder): `SCHEME:` may be left out.
    holds: patterns of file names, one of which lies in every folder of this scheme that is known without a model.
    takes: which settings beside the name mean something to it: "split", "input_column", "label_column",
        "columns", "labels".
    note: what a reader of a figure must know ("100 examples: a small sample").
    """

    name: Name
    help: str = ""
    modality: Modality | None = None
    targets: str | None = None
    labels: str | tuple[str, ...] | None = None
    samples: bool = False
    endings: tuple[str, ...] = ()
    holds: tuple[str, ...] = ()
    takes: tuple[DatasetSetting, ...] = ("split",)
    note: str = ""
    loader: Loader
