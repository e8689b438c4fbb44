"""A SavedModel that does more than compute is refused before it is loaded, and no honest one is."""

from pathlib import Path

import pytest

from zoo import safety
from zoo.errors import BackboneError, WeightsError
from zoo.safety import refuse_code

ROOT = Path(__file__).parents[1]

HOSTILE_OPS = [
    "ReadFile",
    "WriteFile",
    "PyFunc",
    "PyFuncStateless",
    "EagerPyFunc",
    "MatchingFiles",
    "TextLineDataset",
    "TFRecordDataset",
    "FixedLengthRecordDataset",
    "SqlDataset",
    "LMDBDataset",
    "SaveDatasetV2",
    "LoadDataset",
    "DataServiceDatasetV4",
    "RpcClient",
    "RpcServer",
    "RpcCall",
    "RemoteCall",
    "Send",
    "Recv",
    "SaveV2",
    "RestoreV2",
    "MergeV2Checkpoints",
    "Save",
    "Restore",
    "PrintV2",
    "CreateSummaryFileWriter",
    "WholeFileReaderV2",
    "TextLineReaderV2",
    "LoadAndRemapMatrix",
    "GenerateVocabRemapping",
    "DecodeProtoV2",
    "CacheDatasetV2",
    "DumpTensor",
    "InitializeTableFromTextFileV2",
    "FileSystemSetConfiguration",
    "NoSuchOpAtAll",
    "XlaCustomCallV2",
    "CSVDatasetV2",
]


def saved_model(folder: Path, op: str, where: str) -> Path:
    """A SavedModel whose program holds `op` in its graph, in a function, or in one that a function calls."""
    from tensorflow.core.protobuf import saved_model_pb2

    folder.mkdir(parents=True)
    message = saved_model_pb2.SavedModel(saved_model_schema_version=1)
    graph = message.meta_graphs.add().graph_def
    if where == "graph":
        graph.node.add(name="x", op=op, input=["a", "b"])
    else:
        inner, outer = graph.library.function.add(), graph.library.function.add()
        inner.signature.name, outer.signature.name = "inner", "outer"
        inner.node_def.add(name="x", op=op, input=["a", "b"])
        outer.node_def.add(name="call", op="PartitionedCall").attr["f"].func.name = "inner"
        called = "inner" if where == "function" else "outer"
        graph.node.add(name="call", op="PartitionedCall").attr["f"].func.name = called
    (folder / "saved_model.pb").write_bytes(message.SerializeToString())
    return folder


@pytest.mark.parametrize("where", ["graph", "function", "nested"])
@pytest.mark.parametrize("op", HOSTILE_OPS)
def test_an_op_that_does_more_than_compute_is_refused_by_name(tmp_path, op, where):
    with pytest.raises(WeightsError, match=f"does more than compute: op '{op}'"):
        refuse_code(saved_model(tmp_path / "net", op, where))


def test_code_that_is_trusted_passes(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_TRUST_CODE", "1")
    refuse_code(saved_model(tmp_path / "net", "WriteFile", "graph"))


def test_a_cut_program_is_named(tmp_path):
    file = saved_model(tmp_path / "net", "MatMul", "graph") / "saved_model.pb"
    refuse_code(file.parent)
    file.write_bytes(file.read_bytes()[:-3])
    with pytest.raises(BackboneError, match=r"saved_model.pb' can't be loaded: it is cut or damaged"):
        refuse_code(file.parent)


@pytest.mark.parametrize("from_asset", [True, False])
def test_a_table_is_filled_from_the_models_own_asset_only(tmp_path, from_asset):
    import tensorflow as tf

    words = tmp_path / "words.txt"
    words.write_text("cat\ndog\n")

    class Net(tf.Module):
        def __init__(self):
            text = tf.lookup.TextFileIndex
            initialiser = tf.lookup.TextFileInitializer(
                str(words), tf.string, text.WHOLE_LINE, tf.int64, text.LINE_NUMBER
            )
            self.table = tf.lookup.StaticHashTable(initialiser, -1)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def __call__(self, batch):
            if not from_asset:
                batch = tf.io.read_file(str(words))[None]
            return self.table.lookup(batch)

    net = Net()
    tf.saved_model.save(net, str(tmp_path / "net"), signatures=net.__call__)
    if from_asset:
        refuse_code(tmp_path / "net")
    else:
        with pytest.raises(WeightsError, match="op 'ReadFile'"):
            refuse_code(tmp_path / "net")


@pytest.mark.parametrize(
    "folder",
    sorted(file.parent for file in ROOT.glob("plugins/*/weights/**/saved_model.pb")),
    ids=lambda path: path.name,
)
def test_no_model_of_the_project_is_refused(folder):
    refuse_code(folder)


@pytest.mark.assets
def test_no_real_model_is_refused(assets):
    found = [file.parent for file in assets.rglob("saved_model.pb")]
    assert len(found) >= 4
    for folder in found:
        refuse_code(folder)


def test_the_ops_of_tensorflow_text_are_known():
    # What the published BERT preprocessors are made of.
    assert {"CaseFoldUTF8", "NormalizeUTF8", "RegexSplitWithOffsets", "WordpieceTokenizeWithOffsets"} <= safety._safe()
