"""One small network, written in every form that weights may have on disk."""

import json
from pathlib import Path

import numpy as np
import tensorflow as tf

from zoo.backbone import load_backbone
from zoo.specs import BackboneSpec

KERNEL = np.random.default_rng(1).normal(size=(192, 5)).astype(np.float32)
PICTURES = np.random.default_rng(0).random((3, 8, 8, 3), dtype=np.float32)
LOGITS = PICTURES.reshape(3, 192) @ KERNEL


class Network(tf.Module):
    """A linear classifier of pictures of 8 x 8."""

    def __init__(self):
        super().__init__()
        self.kernel = tf.Variable(KERNEL)

    @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32)])
    def __call__(self, images):
        return tf.reshape(images, [-1, 192]) @ self.kernel


def saved_model(folder: Path) -> Path:
    tf.saved_model.save(Network(), str(folder / "module"))
    return folder / "module"


def version1_graph(images):
    """The same network of TensorFlow 1, in the graph that is the default one."""
    kernel = tf.compat.v1.get_variable("kernel", initializer=KERNEL, use_resource=False)
    return tf.matmul(tf.reshape(images, [-1, 192]), kernel, name="logits")


def tf1_hub_module(folder: Path, answer=version1_graph, *, keys=("default",), shape=(None, 8, 8, 3)) -> Path:
    """As TensorFlow 1's Hub had them: a graph without tags, another for training, and `tfhub_module.pb`."""
    module = folder / "module"
    builder = tf.compat.v1.saved_model.Builder(str(module))
    for tags in ([], ["train"]):
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            images = tf.compat.v1.placeholder(tf.float32, shape, "images")
            answers = dict(zip(keys, tf.nest.flatten(answer(images)), strict=True))
            session.run(tf.compat.v1.global_variables_initializer())
            signature = tf.compat.v1.saved_model.predict_signature_def({"images": images}, answers)
            add = builder.add_meta_graph if tags else builder.add_meta_graph_and_variables
            add(*(() if tags else (session,)), tags, signature_def_map={"default": signature})
    builder.save()
    (module / "tfhub_module.pb").write_bytes(b"\x08\x03")
    return module


def tf1_text_module(folder: Path) -> Path:
    """As NNLM's first: words looked up in a file that the module brings, their vectors summed."""
    vocabulary = folder / "vocabulary.txt"
    vocabulary.write_text("the\na\ncat")
    v1, columns = tf.compat.v1, tf.lookup.TextFileIndex
    builder = v1.saved_model.builder.SavedModelBuilder(str(folder / "module"))
    with tf.Graph().as_default(), v1.Session() as session:
        sentences = v1.placeholder(tf.string, [None], "sentences")
        words = tf.lookup.TextFileInitializer(
            str(vocabulary), tf.string, columns.WHOLE_LINE, tf.int64, columns.LINE_NUMBER
        )
        tokens = v1.string_split(sentences)
        ids = tf.lookup.StaticVocabularyTable(words, num_oov_buckets=2).lookup(tokens.values)
        vectors = v1.get_variable("vectors", initializer=KERNEL[:5], use_resource=False)
        sums = v1.nn.embedding_lookup_sparse(
            vectors, tf.SparseTensor(tokens.indices, ids, tokens.dense_shape), None, combiner="sum"
        )
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        builder.add_meta_graph_and_variables(
            session,
            [],
            signature_def_map={"default": v1.saved_model.predict_signature_def({"text": sentences}, {"default": sums})},
            main_op=v1.tables_initializer(),
            assets_collection=v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS),
        )
    builder.save()
    vocabulary.unlink()
    return folder / "module"


def tf1_saved_model(folder: Path) -> Path:
    """A server's: one graph under the tag `serve`."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        images = tf.compat.v1.placeholder(tf.float32, [None, 8, 8, 3], "images")
        logits = version1_graph(images)
        session.run(tf.compat.v1.global_variables_initializer())
        builder = tf.compat.v1.saved_model.Builder(str(folder / "module"))
        signature = tf.compat.v1.saved_model.predict_signature_def({"images": images}, {"scores": logits})
        builder.add_meta_graph_and_variables(session, ["serve"], signature_def_map={"serving_default": signature})
        builder.save()
    return folder / "module"


def frozen_graph(folder: Path) -> Path:
    with tf.Graph().as_default() as graph:
        images = tf.compat.v1.placeholder(tf.float32, [None, 8, 8, 3], "images")
        tf.matmul(tf.reshape(images, [-1, 192]), tf.constant(KERNEL), name="logits")
    (folder / "graph.pb").write_bytes(graph.as_graph_def().SerializeToString())
    return folder / "graph.pb"


def keras_model():
    """The same network in Keras, through a depthwise convolution that changes nothing."""
    import keras

    images = keras.Input([8, 8, 3])
    same = keras.layers.DepthwiseConv2D(1, use_bias=False, depthwise_initializer="ones", name="same")(images)
    flat = keras.layers.Flatten(name="flat")(same)
    model = keras.Model(images, keras.layers.Dense(5, use_bias=False, name="top")(flat))
    model.layers[-1].kernel.assign(KERNEL)
    return model


def keras_file(folder: Path) -> Path:
    keras_model().save(folder / "model.keras")
    return folder / "model.keras"


def hdf5_file(folder: Path) -> Path:
    keras_model().save(folder / "model.h5")
    return folder / "model.h5"


def keras2_file(folder: Path) -> Path:
    """With what Keras 2 wrote and Keras 3 refuses: `groups` of DepthwiseConv2D, slashes in names of layers."""
    import h5py

    file = hdf5_file(folder)
    with h5py.File(file, "r+") as opened:
        config = json.loads(opened.attrs["model_config"])
        for layer in config["config"]["layers"]:
            if layer["class_name"] == "DepthwiseConv2D":
                layer["config"]["groups"] = 1
        text = json.dumps(config).replace('"same"', '"block1/same"').replace('"flat"', '"block1/flat"')
        opened.attrs["model_config"] = text.replace('"padding": "block1/same"', '"padding": "same"')
        opened.attrs["keras_version"] = "2.4.0"
    return file


def tflite_file(folder: Path) -> Path:
    module = Network()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([module.__call__.get_concrete_function()], module)
    (folder / "model.tflite").write_bytes(converter.convert())
    return folder / "model.tflite"


FORMS = {
    "saved_model": saved_model,
    "saved_model of TF1's Hub": tf1_hub_module,
    "saved_model of TF1": tf1_saved_model,
    "frozen_graph": frozen_graph,
    "keras": keras_file,
    "keras_hdf5": hdf5_file,
    "keras_hdf5 of Keras 2": keras2_file,
    "tflite": tflite_file,
}


def spec(output="logits", *, input=None, **facts):
    """A row for the small network; `output_facts` are those of its output."""
    bound = {"weights": {}, "width": 5} | facts.pop("output_facts", {})
    return BackboneSpec(
        name="mine", input={"kind": "image", "size": [8, 8]} | (input or {}), outputs={output: bound}, **facts
    )


def opened(path, output="logits", **facts):
    """The backbone of whatever lies at `path`."""
    return load_backbone(spec(output, **facts), output, {"weights": path})
