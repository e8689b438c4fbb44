"""Every form of weights on disk: recognised by its path, read by its own loader, and told apart when it is broken."""

import shutil
import sys
import tarfile

import numpy as np
import pytest
import tensorflow as tf
from file_forms import FORMS, KERNEL, LOGITS, PICTURES, opened, spec, tf1_hub_module, tf1_text_module

import zoo
from zoo.errors import ArchiveError, BackboneError, MissingPackageError, RuntimeLoadError, WeightsError, ZooError
from zoo.formats import format_of
from zoo.plugins import installed
from zoo.specs import BackboneSpec

pytestmark = [
    # Keras 3.15 reads its own variables in a way that NumPy 2 warns of.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
    # TensorFlow's own converter warns that its interpreter will go: LiteRT's is used here.
    pytest.mark.filterwarnings(r"ignore:\s*tf.lite.Interpreter is deprecated:UserWarning"),
]
every_form = pytest.mark.parametrize("kind", FORMS)
files_alone = pytest.mark.parametrize("kind", [kind for kind in FORMS if not kind.startswith("saved_model")])


@pytest.fixture(scope="session")
def written(tmp_path_factory):
    """`written(kind)`: the path of the small network in that form."""
    made = {}

    def write(kind):
        if kind not in made:
            made[kind] = FORMS[kind](tmp_path_factory.mktemp("form"))
        return made[kind]

    return write


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("ZOO_TRUST_CODE", raising=False)


# -------------------------------------------------------------------------------------------- what holds for all


def test_every_format_is_tried():
    elsewhere = {"tf1_checkpoint", "kerashub_preset"}  # test_slim.py, test_presets.py
    assert {form.name for form in installed().formats} == {kind.split()[0] for kind in FORMS} | elsewhere


@every_form
def test_a_form_is_recognised_by_its_path(kind, written):
    assert format_of(written(kind), "it").name == kind.split()[0]


@every_form
def test_a_user_s_own_file_runs_under_any_row(kind, written):
    backbone = opened(written(kind))
    runtime = next(iter(backbone.runtimes), "tf")
    model = zoo.get("classification", spec(), runtime=runtime, weights=written(kind))
    found = model.compiled("logits")(PICTURES)["logits"]
    np.testing.assert_allclose(found, LOGITS, rtol=1e-4, atol=1e-4)
    assert model.compiled("logits").parameters() >= KERNEL.size


@pytest.mark.parametrize("kind", ["saved_model of TF1's Hub", "frozen_graph", "keras_hdf5 of Keras 2"])
@pytest.mark.parametrize("runtime", ["openvino", "onnx"])
def test_old_forms_run_on_other_runtimes_too(kind, runtime, written):
    model = zoo.get("classification", spec(), runtime=runtime, weights=written(kind))
    np.testing.assert_allclose(model.compiled("logits")(PICTURES)["logits"], LOGITS, rtol=1e-3, atol=1e-3)


@files_alone
def test_a_truncated_file_is_named(kind, written, tmp_path):
    whole = written(kind)
    cut = tmp_path / whole.name
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(ZooError, match=rf"'mine': .*{cut.name}.*(cut or damaged|damaged|can't be loaded)"):
        opened(cut).load()


@files_alone
def test_a_file_of_another_content_is_named(kind, written, tmp_path):
    other = tmp_path / written(kind).name
    other.write_bytes(b"<html>404: not found</html>")
    with pytest.raises(ZooError, match=rf"'mine': .*{other.name}.* (starts with b'<html>|cut or damaged)"):
        opened(other).load()


@files_alone
def test_an_empty_file_is_named(kind, written, tmp_path):
    empty = tmp_path / written(kind).name
    empty.touch()
    with pytest.raises(BackboneError, match=rf"'mine': .*{empty.name}.* (is empty|holds no node)"):
        opened(empty).load()


def test_a_file_under_another_form_s_name_is_told_what_it_holds(written, tmp_path):
    wrong = shutil.copyfile(written("tflite"), tmp_path / "model.h5")
    with pytest.raises(BackboneError, match=r"named as a Keras file in HDF5 \(.h5\), but holds a TFLite file; name it"):
        opened(wrong)


@pytest.mark.parametrize("kind", ["keras", "keras_hdf5", "tflite"])
def test_a_file_whose_name_says_nothing_is_known_by_its_content(kind, written, tmp_path):
    nameless = shutil.copyfile(written(kind), tmp_path / "download")
    np.testing.assert_allclose(opened(nameless).forward(PICTURES)["logits"], LOGITS, rtol=1e-4, atol=1e-4)


def test_a_row_of_a_catalogue_names_a_path_and_no_loader(written, tmp_path):
    catalogue = tmp_path / "mine.toml"
    catalogue.write_text(
        f'[[backbone]]\nname = "mine"\ninput = {{ kind = "image", size = [8, 8] }}\n'
        f'outputs.logits = {{ width = 5, weights = {{ path = "{written("keras")}" }} }}\n'
    )
    (row,) = zoo.read_catalog(catalogue)
    found = zoo.get("classification", row).compiled("logits")(PICTURES)["logits"]
    np.testing.assert_allclose(found, LOGITS, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", ["saved_model", "frozen_graph"])
def test_an_archive_is_unpacked_once(kind, written, tmp_path, monkeypatch):
    packed = tmp_path / "model.tar.gz"
    with tarfile.open(packed, "w:gz") as tar:
        tar.add(written(kind), arcname=written(kind).name)
    if kind == "frozen_graph":  # nothing says which file of a folder is meant
        with pytest.raises(BackboneError, match=r"has no file 'saved_model.pb'; it holds graph.pb"):
            opened(packed).load()
        return
    np.testing.assert_allclose(opened(packed).forward(PICTURES)["logits"], LOGITS, rtol=1e-4, atol=1e-4)
    monkeypatch.setattr("zoo.formats.unpack", None)
    opened(packed).load()


def test_a_cut_archive_is_named(written, tmp_path):
    packed = tmp_path / "model.tar.gz"
    with tarfile.open(packed, "w:gz") as tar:
        tar.add(written("saved_model"), arcname="model")
    packed.write_bytes(packed.read_bytes()[:500])
    with pytest.raises(ArchiveError, match=r"'mine': '.*model\.tar\.gz' can't be unpacked"):
        opened(packed)


# --------------------------------------------------------------------------------------- what holds for some alone


@pytest.mark.parametrize("kind", ["saved_model of TF1's Hub", "saved_model of TF1", "frozen_graph", "tflite"])
def test_what_can_t_be_trained_says_why(kind, written):
    with pytest.raises(BackboneError, match="can't be trained"):
        opened(written(kind)).forward(PICTURES, training=True)


def test_a_tflite_file_runs_on_no_runtime_but_its_own(written):
    with pytest.raises(
        RuntimeLoadError, match=r"model\.tflite' can't run on runtime 'tf'; it runs on runtime='litert'"
    ):
        zoo.get("classification", spec(), weights=written("tflite"), runtime="tf").load()
    unnamed = zoo.get("classification", spec(), weights=written("tflite")).load()
    assert unnamed.runtime.spec.name == "litert"


def test_a_tflite_file_of_another_input_is_told_with_the_one_it_takes(written):
    with pytest.raises(BackboneError, match=r"takes \[n, 8, 8, 3\], not a batch of shape \(1, 9, 9, 3\)"):
        opened(written("tflite")).forward(np.zeros((1, 9, 9, 3), np.float32))
    with pytest.raises(BackboneError, match="takes float32, and the spec's input is uint8: correct its row"):
        opened(written("tflite"), input={"dtype": "uint8"}).load()


def test_a_tags_option_names_another_graph(written):
    backbone = opened(written("saved_model of TF1's Hub"), options={"tags": ["gpu"]})
    with pytest.raises(BackboneError, match=r"has 2 graphs, none with the tags \['gpu'\].* \[\] or \['train'\]"):
        backbone.load()


def test_a_detector_of_tf1_s_hub_gives_boxes_without_an_axis_for_the_batch(tmp_path):
    def detector(images):
        box = tf.reduce_mean(images, [0, 1, 2])
        boxes = tf.stack([tf.concat([box, [1.0]], 0)] * 4)
        return boxes, tf.reduce_mean(images) / [1.0, 2.0, 3.0, 4.0], tf.constant([3, 1, 4, 1], tf.int64)

    keys = ("detection_boxes", "detection_scores", "detection_class_labels")
    module = tf1_hub_module(tmp_path, detector, keys=keys, shape=(1, None, None, 3))
    backbone = opened(module, "boxes", input={"batch": 1}, output_facts={"width": None})
    found = backbone.forward(PICTURES[:1])
    assert {name: tuple(value.shape) for name, value in found.items()} == {
        "boxes": (1, 4, 4),
        "scores": (1, 4),
        "classes": (1, 4),
        "count": (1,),
    }
    np.testing.assert_allclose(found["scores"][0], PICTURES[0].mean() / np.arange(1, 5), rtol=1e-5)
    assert found["classes"].numpy().tolist() == [[3, 1, 4, 1]]
    assert found["count"].numpy().tolist() == [4]


def test_a_text_module_of_tf1_s_hub_looks_words_up_in_the_file_that_it_brings(tmp_path):
    row = BackboneSpec(name="mine", input={"kind": "text"}, outputs={"features": {"width": 5, "weights": {}}})
    found = zoo.get("embedding", row, weights=tf1_text_module(tmp_path)).encode(["the cat", "a a the"])
    np.testing.assert_allclose(found, [KERNEL[0] + KERNEL[2], 2 * KERNEL[1] + KERNEL[0]], rtol=1e-5)


def graph_file(file, build):
    with tf.Graph().as_default() as graph:
        build(tf.compat.v1.placeholder(tf.float32, [None, 8, 8, 3], "images"))
    file.write_bytes(graph.as_graph_def().SerializeToString())
    return file


def test_a_frozen_graph_of_several_ends_is_told_which_one_by_its_row(tmp_path):
    def build(images):
        tf.identity(tf.reshape(images, [-1, 192])[:, :5], name="first")
        tf.identity(tf.reshape(images, [-1, 192])[:, 5:10], name="second")

    file = graph_file(tmp_path / "graph.pb", build)
    with pytest.raises(BackboneError, match="ends in 2 nodes, 'first', 'second'; name one with 'key'"):
        opened(file).load()
    found = opened(file, output_facts={"key": "second"}).forward(PICTURES)["logits"]
    np.testing.assert_allclose(found, PICTURES.reshape(3, 192)[:, 5:10])
    with pytest.raises(BackboneError, match="has no tensor 'third'; its last nodes are"):
        opened(file, output_facts={"key": "third"}).load()


def test_a_graph_with_variables_is_not_frozen(tmp_path):
    file = graph_file(
        tmp_path / "graph.pb", lambda images: tf.compat.v1.get_variable("kernel", [1], use_resource=False)
    )
    with pytest.raises(BackboneError, match="is not frozen: 'kernel' are variables"):
        opened(file).load()


def test_a_frozen_graph_that_reads_files_is_refused_by_the_op_s_name(tmp_path):
    file = graph_file(tmp_path / "graph.pb", lambda images: tf.io.read_file("/etc/passwd"))
    with pytest.raises(WeightsError, match=r"'mine': .*graph\.pb' does more than compute: op 'ReadFile'"):
        opened(file).load()


def test_the_graph_inside_a_saved_model_s_folder_is_no_frozen_one(written):
    with pytest.raises(BackboneError, match="is a part of a SavedModel; give its folder"):
        opened(written("saved_model") / "saved_model.pb").load()


def test_without_litert_a_tflite_file_says_what_to_install(written, monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'tf-model-zoo\[litert\]'"):
        opened(written("tflite")).load()
