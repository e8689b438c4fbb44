"""The sides of `throughput.py`, each at its best documented settings, in a process of its own.

    python sides.py SIDE FOLDER      (throughput.py starts it)

Reads the number of seconds to work from a line of standard input, works, and answers with one JSON line of how many
inputs it took and the seconds; the first line that it writes says that it is ready, and what it runs. FOLDER holds what
`networks.py` made. Only NumPy is imported here before the side is known: a side may run in an environment of its own.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

BATCH = 32

# What a side runs: from an iterable of batches to the outputs of each, in order.
Run = Callable[[Iterable[Any]], Iterator[Any]]
Side = tuple[Run, str]


def zoo_auto(folder: Path) -> Side:
    """The zoo, left to choose runtime and precision (ZOO_RUNTIME and ZOO_PRECISION choose for it)."""
    return _zoo(folder, os.environ.get("ZOO_PRECISION", "auto"))


def zoo_fp32(folder: Path) -> Side:
    """The zoo, left to choose the runtime, at full precision."""
    return _zoo(folder, "fp32")


def _zoo(folder: Path, precision: str) -> Side:
    import zoo
    from zoo.backbone import load_backbone

    spec = zoo.BackboneSpec.model_validate_json((folder / "spec.json").read_text(encoding="utf-8"))
    task, output = ("embedding", "features") if spec.input.kind == "text" else ("classification", "logits")
    model = zoo.get(task, spec, runtime=os.environ.get("ZOO_RUNTIME", "auto"), precision=precision)
    if output == "logits" and hasattr(model.runtime, "choose"):  # which runtimes are right, it sees on these pictures
        files = json.loads((folder / "pictures.json").read_text(encoding="utf-8"))
        data = model.dataset((files, list(range(len(files)))))
        model.runtime.choose(load_backbone(spec, output, model.files(output)), precision=precision, data=data)
    compiled = model.compiled(output)
    about = f"{type(compiled).__module__}, {compiled.precision} on {compiled.device}"
    if task == "embedding":
        return (lambda lists: (model.features(texts, batch_size=BATCH) for texts in lists)), about
    return (lambda batches: (found[output] for found in compiled.stream(batches))), about


def hub_load(folder: Path) -> Side:
    """`hub.load` behind a `tf.function` of a fixed signature (tensorflow.org/hub, "Using TF2 SavedModels": the loaded
    object is called; tensorflow.org/guide/function: a signature saves retracing)."""
    import tensorflow as tf
    import tensorflow_hub as hub

    module = hub.load(str(folder / "saved_model"))
    signature = [tf.TensorSpec(next(_batches(folder)).shape, tf.float32)]
    function = tf.function(lambda batch: module.serve(batch), input_signature=signature)
    return _each(lambda batch: function(tf.convert_to_tensor(batch)).numpy()), f"tensorflow {tf.__version__}, fp32"


def keras_predict(folder: Path) -> Side:
    """`Model.predict` (keras.io/api/models/model_training_apis: for many inputs in batches). XLA, which Keras turns on
    by itself, is off: on a CPU it is many times slower."""
    import keras

    model = keras.models.load_model(folder / "model.keras", compile=False)
    model.compile(jit_compile=False)
    pictures = np.load(folder / "batches.npy").reshape(-1, *next(_batches(folder)).shape[1:])  # a call has its price

    def predict(_: Any) -> Any:
        return model.predict(pictures, batch_size=BATCH, verbose=0)

    return _each(predict), f"keras {keras.__version__}, fp32"


def onnxruntime(folder: Path) -> Side:
    """An `InferenceSession` with its defaults, which onnxruntime.ai/docs/performance/tune-performance/threading.html
    gives as the fast ones: a thread for each core, all graph optimisations."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return _each(lambda batch: session.run(None, {name: batch})[0]), f"onnxruntime {onnxruntime.__version__}, fp32"


def openvino(folder: Path) -> Side:
    """An `AsyncInferQueue` with the hint THROUGHPUT, inputs shared, in bf16 where the processor has it
    (docs.openvino.ai: "High-level Performance Hints", "Python API Advanced Inference", "Precision Control")."""
    import openvino as ov

    core = ov.Core()
    able = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    precision = "bf16" if "BF16" in able else "f32"
    settings = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": precision}
    queue = ov.AsyncInferQueue(core.compile_model(folder / "saved_model", "CPU", settings))

    def run(batches: Iterable[Any]) -> Iterator[Any]:
        found: list[Any] = []
        queue.set_callback(lambda request, _: found.append(request.get_output_tensor().data.copy()))
        for batch in batches:
            queue.start_async({0: batch}, share_inputs=True)
        queue.wait_all()
        yield from found

    return run, f"openvino {ov.__version__.split('-')[0]}, {precision}, {len(queue)} requests"


def timm(folder: Path) -> Side:
    """torch in channels-last bf16 with `inference_mode` (docs.pytorch.org: "Channels Last Memory Format in PyTorch",
    performance tuning guide). Weights are its own, random: speed does not depend on them."""
    torch = import_torch()
    import timm

    name = {"mobilenet_v2": "mobilenetv2_100", "inception_v3": "inception_v3"}[folder.name]
    more = {"aux_logits": False} if name == "inception_v3" else {}
    network = timm.create_model(name, **more).eval().to(memory_format=torch.channels_last, dtype=torch.bfloat16)

    @torch.inference_mode()
    def call(batch: Any) -> Any:
        pixels = torch.from_numpy(batch).permute(0, 3, 1, 2)  # of [n, h, w, c]: this is channels-last already
        return network(pixels.to(torch.bfloat16)).float().numpy()

    return _each(call), f"timm {timm.__version__}, torch {torch.__version__}, bf16, channels-last"


def import_torch() -> Any:
    """torch on all cores. Where torchvision was built for another torch, the operators that its import asks for are
    declared: no network here calls them."""
    import torch

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.manual_seed(0)
    try:
        import torchvision  # noqa: F401
    except ImportError:
        pass
    except RuntimeError:
        for module in [name for name in sys.modules if name.startswith("torchvision")]:
            del sys.modules[module]
        library = torch.library.Library("torchvision", "DEF")
        for operator in ("nms", "qnms"):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        torch.torchvision_operators = library  # they are gone with it
    return torch


def saved_model(folder: Path) -> Side:
    """The text encoder as `tf.saved_model.load` gives it, batch after batch in the order of the file."""
    import tensorflow as tf
    import tensorflow_text  # noqa: F401

    module = tf.saved_model.load((folder / "where").read_text(encoding="utf-8"))

    def encode(texts: list[str]) -> Any:
        batches = (texts[start : start + BATCH] for start in range(0, len(texts), BATCH))
        return np.concatenate([module(tf.constant(batch)).numpy() for batch in batches])

    return _each(encode), f"tensorflow {tf.__version__}, fp32"


def sentence_transformers(folder: Path) -> Side:
    """`SentenceTransformer.encode` in bf16, which sorts by length by itself (sbert.net, "Speeding up Inference"). The
    architecture and vocabulary of all-MiniLM-L6-v2 with random weights: the published ones come from a hub."""
    torch = import_torch()
    import sentence_transformers
    from sentence_transformers import SentenceTransformer, models

    modules = [models.Transformer(str(_bert(folder))), models.Pooling(384), models.Normalize()]
    encoder = SentenceTransformer(modules=modules, device="cpu").to(torch.bfloat16)
    run = _each(lambda texts: encoder.encode(texts, batch_size=BATCH, show_progress_bar=False, convert_to_numpy=True))
    return run, f"sentence-transformers {sentence_transformers.__version__}, torch {torch.__version__}, bf16"


def _bert(folder: Path) -> Path:
    """A folder with a random BERT of 6 layers as `transformers` reads it."""
    from transformers import BertConfig, BertModel, BertTokenizer

    made = folder / "bert"
    vocabulary = Path((folder / "where").read_text(encoding="utf-8")) / "assets" / "vocab.txt"
    words = vocabulary.read_text(encoding="utf-8").splitlines()
    sizes = {"hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 12, "intermediate_size": 1536}
    BertModel(BertConfig(vocab_size=len(words), **sizes)).save_pretrained(made)
    BertTokenizer(str(vocabulary), model_max_length=256).save_pretrained(made)
    return made


SIDES = {
    "zoo": zoo_auto,
    "zoo_fp32": zoo_fp32,
    "hub_load": hub_load,
    "keras_predict": keras_predict,
    "onnxruntime": onnxruntime,
    "openvino": openvino,
    "timm": timm,
    "saved_model": saved_model,
    "sentence_transformers": sentence_transformers,
}


def _each(call: Callable[[Any], Any]) -> Run:
    return lambda batches: map(call, batches)


def _batches(folder: Path) -> Iterator[Any]:
    """The real inputs, over and over: float32 [n, h, w, c], or all the texts at once."""
    texts = folder / "texts.json"
    return cycle([json.loads(texts.read_text(encoding="utf-8"))] if texts.exists() else np.load(folder / "batches.npy"))


def _work(run: Run, batches: Iterator[Any], seconds: float) -> tuple[int, float]:
    """How many inputs passed, and the seconds from the first to the last output."""
    start = time.perf_counter()

    def until() -> Iterator[Any]:
        while time.perf_counter() - start < seconds:
            yield next(batches)

    count = sum(len(outputs) for outputs in run(until()))
    return count, time.perf_counter() - start


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what frameworks print is no answer
    side, folder = sys.argv[1], Path(sys.argv[2])
    run, about = SIDES[side](folder)
    batches = _batches(folder)
    # Warm-up; the first outputs are kept, to compare sides by.
    np.save(folder / f"{side}.npy", next(iter(run(iter([next(batches)]))))[:BATCH])
    _work(run, batches, 1)
    print(json.dumps({"ready": about}), file=answers)
    for line in sys.stdin:
        print(json.dumps(_work(run, batches, float(line))), file=answers)


if __name__ == "__main__":
    main()
