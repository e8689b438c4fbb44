"""A graph cut in three: what stays in TensorFlow, what a runtime takes, and that together they are the whole."""

import numpy as np
import pytest
import tensorflow as tf

from zoo import Backbone, BackboneSpec
from zoo.errors import BackboneError, RuntimeLoadError
from zoo.graph import freeze
from zoo.parts import read_parts
from zoo.split import converted_parts, split, tensorflow_only

WORDS = np.array(["a dog runs", "two men play chess", ""], object)
PICTURES = np.random.default_rng(0).random((3, 4, 4, 3), dtype=np.float32)
KERNEL = np.random.default_rng(1).normal(size=(48, 16)).astype(np.float32)
TABLE = np.random.default_rng(2).normal(size=(64, 8)).astype(np.float32)


def backbone(forward, kind="image"):
    """A backbone that computes `forward`, of pictures of 4 x 4 or of texts."""

    class Written(Backbone):
        def load(self):
            pass

        def forward(self, batch, training=False):
            return forward(batch)

        def parameters(self):
            return 0

    given = {"kind": "image", "size": [4, 4]} if kind == "image" else {"kind": "text"}
    spec = BackboneSpec(name="b", input=given, outputs={"features": {"weights": {}}}, loader="tests:Written")
    return Written(spec, "features", {})


def refusing(*ops):
    return lambda op: op in ops or tensorflow_only(op)


def ops(piece):
    return {node.op for node in piece.graph_def.node}


def assert_same(graph, parts, batch):
    """Run one after another, the pieces give what the graph gives."""
    tensors = parts.before(batch)
    found = parts.after(tensors | parts.middle(tensors))
    for name, expected in graph(tf.convert_to_tensor(batch)).items():
        np.testing.assert_allclose(found[name], expected, rtol=1e-6)


def linear(images):
    return tf.reshape(images, [-1, 48]) @ KERNEL


def tokens(texts):
    return tf.strings.to_hash_bucket_fast(tf.strings.split(texts), 64).to_tensor(-1)


def embedded(texts):
    ids = tokens(texts)
    rows = tf.gather(TABLE, tf.maximum(ids, 0)) * tf.cast(ids >= 0, tf.float32)[..., None]
    return {"features": tf.reduce_sum(rows, axis=1)}


def test_where_nothing_is_refused_the_middle_is_all():
    graph = freeze(backbone(lambda images: {"features": linear(images)}))
    parts = split(graph)
    assert parts.whole
    assert (parts.middle.inputs, parts.middle.outputs) == ((parts.batch,), ("zoo/features",))
    assert_same(graph, parts, PICTURES)


def test_strings_and_ragged_tensors_stay_in_front():
    graph = freeze(backbone(embedded, "text"))
    parts = split(graph)
    assert parts.back is None
    assert "StringSplitV2" in ops(parts.front)
    assert {"GatherV2", "Sum"} <= ops(parts.middle)
    assert not {op for op in ops(parts.middle) if "String" in op or "Ragged" in op}
    assert_same(graph, parts, WORDS)


def test_the_weights_lie_in_the_middle_alone():
    parts = split(freeze(backbone(embedded, "text")))
    assert not any(TABLE.tobytes() in node.SerializeToString() for node in parts.front.graph_def.node)
    assert any(TABLE.tobytes() in node.SerializeToString() for node in parts.middle.graph_def.node)


def test_what_follows_a_refused_op_stays_behind():
    def best(images):
        scores, classes = tf.math.top_k(linear(images), 3)
        return {"scores": scores, "classes": tf.cast(classes, tf.float32) + 1}

    graph = freeze(backbone(best))
    parts = split(graph, refusing("TopKV2"))
    assert parts.front is None
    assert "MatMul" in ops(parts.middle)
    assert {"TopKV2", "Cast"} <= ops(parts.back)
    assert_same(graph, parts, PICTURES)


def test_both_ends_stay_and_may_speak_past_the_middle():
    def labelled(texts):
        scores, columns = tf.math.top_k(embedded(texts)["features"], 2)
        return {
            "scores": scores,
            "words": tf.strings.length(texts)[:, None] + columns,
            "upper": tf.strings.upper(texts),
        }

    graph = freeze(backbone(labelled, "text"))
    parts = split(graph, refusing("TopKV2"))
    assert "TopKV2" in ops(parts.back)
    tensors = parts.before(WORDS)
    found = parts.after(tensors | parts.middle(tensors))
    expected = graph(tf.convert_to_tensor(WORDS))
    np.testing.assert_allclose(found["scores"], expected["scores"], rtol=1e-6)
    np.testing.assert_array_equal(found["words"], expected["words"])
    np.testing.assert_array_equal(found["upper"], expected["upper"])


def test_the_batch_may_go_to_every_piece():
    def boxes(images):
        best, _ = tf.math.top_k(linear(images), 1)
        return {"features": best[:, None, None] + images}

    graph = freeze(backbone(boxes))
    parts = split(graph, refusing("TopKV2"))
    assert parts.batch in parts.back.inputs
    assert_same(graph, parts, PICTURES)


def test_a_refused_op_in_the_midst_is_named():
    def twice(images):
        first, _ = tf.math.top_k(linear(images), 16)
        second, _ = tf.math.top_k(first @ KERNEL.T, 48)
        return {"features": second @ KERNEL}

    with pytest.raises(RuntimeLoadError, match="'b' can't be cut for this runtime, which does not take 'TopKV2'"):
        split(freeze(backbone(twice)), refusing("TopKV2"))


def test_a_refused_op_is_found_in_the_function_that_hides_it():
    @tf.function(jit_compile=True)  # such calls are not inlined
    def hidden(scores):
        return tf.math.top_k(scores, 3)[0]

    graph = freeze(backbone(lambda images: {"features": hidden(linear(images))}))
    assert "TopKV2" not in {op.type for op in graph.function.graph.get_operations()}
    parts = split(graph, refusing("TopKV2"))
    assert "MatMul" in ops(parts.middle)
    assert_same(graph, parts, PICTURES)


def test_look_up_tables_stay_in_front_with_their_handles(tmp_path):
    keys = tf.lookup.KeyValueTensorInitializer(["dog", "chess"], tf.constant([1, 2], tf.int64))
    table = tf.lookup.StaticHashTable(keys, 0)

    def looked_up(texts):
        ids = table.lookup(tf.strings.split(texts).to_tensor(""))
        return {"features": tf.reduce_sum(tf.gather(TABLE, ids), axis=1)}

    owner = backbone(looked_up, "text")
    graph = freeze(owner)
    parts = split(graph)
    assert len(parts.tables) == 1
    assert_same(graph, parts, WORDS)
    parts.save(tmp_path)
    again = read_parts(tmp_path, owner)
    tensors = again.before(WORDS)
    found = again.after(tensors | parts.middle(tensors))["features"]
    np.testing.assert_allclose(found, graph.function(tf.constant(WORDS, tf.string), *graph.tables)[0], rtol=1e-6)


def test_branches_in_front_keep_their_switches():
    def branching(texts):
        few = tf.cond(tf.size(tf.strings.split(texts).values) < 5, lambda: tf.constant(1), lambda: tf.constant(0))
        ids = tf.maximum(tokens(texts), 0) + tf.cast(few, tf.int64)
        return {"features": tf.reduce_sum(tf.gather(tf.concat([TABLE, TABLE], 0), ids), axis=1)}

    graph = freeze(backbone(branching, "text"))
    parts = split(graph)
    assert "Switch" in ops(parts.front)
    assert "Switch" not in ops(parts.middle)
    assert_same(graph, parts, WORDS)
    assert_same(graph, parts, WORDS[:1])


def test_an_assertion_in_front_still_speaks():
    def checked(texts):
        with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(texts != ""), ["an empty text"])]):
            texts = tf.identity(texts)
        return embedded(texts)

    parts = split(freeze(backbone(checked, "text")))
    assert parts.before(WORDS[:2])
    with pytest.raises(BackboneError, match=r"'b' failed in what stays in TensorFlow: .*an empty text"):
        parts.before(WORDS)


def test_pieces_read_back_are_those_that_were_written(tmp_path):
    owner = backbone(embedded, "text")
    graph = freeze(owner)
    parts = split(graph)
    parts.save(tmp_path)
    again = read_parts(tmp_path, owner)
    tensors = again.before(WORDS)
    found = again.after(tensors | parts.middle(tensors))["features"]
    np.testing.assert_array_equal(found, graph(tf.convert_to_tensor(WORDS))["features"])
    assert again.middle.graph_def is None


def test_what_a_converter_cannot_take_is_cut_out_and_the_rest_converted_once(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path))
    asked = []

    def convert(piece, folder):
        asked.append(ops(piece))
        (folder / "middle").write_text("converted")
        return {"TopKV2"} & ops(piece)

    owner = backbone(lambda images: {"features": tf.math.top_k(linear(images), 3)[0]})
    parts, folder = converted_parts(owner, "test", convert)
    assert ["TopKV2" in found for found in asked] == [True, False]
    assert parts.back is not None
    assert (folder / "middle").read_text() == "converted"
    assert converted_parts(owner, "test", convert)[1] == folder
    assert len(asked) == 2


def test_a_converter_that_is_never_content_ends_in_an_error(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path))
    owner = backbone(lambda images: {"features": linear(images)})
    with pytest.raises(RuntimeLoadError, match="'NoSuchOp'"):
        converted_parts(owner, "test", lambda piece, folder: {"NoSuchOp"})
    assert not list((tmp_path / "converted").glob("*"))
