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


def test_the_switch_names_files_that_are_trusted_or_all(tmp_path, monkeypatch):
    mine, other = (
        saved_model(tmp_path / "mine", "WriteFile", "graph"),
        saved_model(tmp_path / "net", "ReadFile", "graph"),
    )
    monkeypatch.setenv("ZOO_TRUST_CODE", "0")
    safety.trust(mine)
    refuse_code(mine)
    with pytest.raises(WeightsError, match=r"op 'ReadFile'.*trust_code=True, --trust-code, or ZOO_TRUST_CODE=1"):
        refuse_code(other)
    safety.trust()
    refuse_code(other)


@pytest.mark.parametrize("command", ["predict", "eval", "fit", "tune", "bench", "inspect", "add", "verify"])
def test_every_command_that_loads_weights_has_the_option(command):
    from click.testing import CliRunner

    from zoo.cli import zoo

    assert "--trust-code" in CliRunner().invoke(zoo, [command, "--help"]).output


def test_a_model_that_is_trusted_by_name_runs(tmp_path, monkeypatch):
    import hub_modules
    import tensorflow as tf

    import zoo

    monkeypatch.setenv("ZOO_TRUST_CODE", "")

    class Reads(hub_modules.Sentences):
        @tf.function(input_signature=[hub_modules.STRINGS])
        def __call__(self, inputs):
            with tf.control_dependencies([tf.io.matching_files(str(tmp_path / "*"))]):
                return self.vectors(inputs)

    hub_modules.export(Reads(8), tmp_path / "net")
    outputs = {"features": {"width": 8, "weights": {"path": str(tmp_path / "net")}}}
    spec = zoo.BackboneSpec.model_validate({"name": "mine", "input": {"kind": "text"}, "outputs": outputs})
    with pytest.raises(WeightsError, match="op 'MatchingFiles'"):
        zoo.get("embedding", spec).encode(["a ball"])
    assert zoo.get("embedding", spec, trust_code=True).encode(["a ball"]).shape == (1, 8)
