"""Archives and models made to harm: every one is refused before it can, and nothing honest is."""

import gzip
import io
import shutil
import tarfile
from pathlib import Path

import pytest

from zoo.errors import BackboneError, WeightsError
from zoo.safety import refuse_code, trust
from zoo.specs import WeightsSpec
from zoo.weights import fetch

tf = pytest.importorskip("tensorflow")
import hostile_keras  # noqa: E402
import hostile_models  # noqa: E402


def member(name: str, content: bytes = b"x", **facts: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for fact, value in facts.items():
        setattr(info, fact, value)
    return info, content


def archive(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as tar:
        for info, content in (member("saved_model.pb", b"graph"), *members):
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def link(name: str, to: str, kind: bytes = tarfile.SYMTYPE) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, b"", type=kind, linkname=to)


ARCHIVES = {
    "climbs out": lambda: archive(member("../escaped")),
    "climbs out from inside": lambda: archive(member("variables/../../escaped")),
    "climbs out by backslash": lambda: archive(member("..\\escaped")),
    "is absolute": lambda: archive(member("/tmp/zoo-hostile-victim")),
    "is absolute on Windows": lambda: archive(member("C:/escaped")),
    "is a share of a network": lambda: archive(member("\\\\host\\share\\escaped")),
    "links to a file": lambda: archive(link("escaped", "/etc/passwd")),
    "links to a folder and writes through it": lambda: archive(link("v", "/tmp"), member("v/zoo-hostile-victim")),
    "links to its own file": lambda: archive(link("escaped", "saved_model.pb")),
    "links hard": lambda: archive(link("escaped", "../../secret", tarfile.LNKTYPE)),
    "holds a pipe": lambda: archive(member("escaped", b"", type=tarfile.FIFOTYPE)),
    "holds a character device": lambda: archive(member("escaped", b"", type=tarfile.CHRTYPE, devmajor=1, devminor=5)),
    "holds a block device": lambda: archive(member("escaped", b"", type=tarfile.BLKTYPE, devmajor=8)),
    "swells": lambda: archive(member("bomb", bytes(1_200_000_000))),
    "has too many members": lambda: archive(*(20_001 * [member("one/and/the/same", b"", type=tarfile.DIRTYPE)])),
    "names a file twice": lambda: archive(member("saved_model.pb", b"other")),
    "makes a file a folder": lambda: archive(member("saved_model.pb/escaped")),
    "turns a name by Unicode": lambda: archive(member("variables/\u202egpj.exe")),
    "hides a dot in Unicode": lambda: archive(member("\uff0e\uff0e/escaped")),
    "hides a slash in Unicode": lambda: archive(member("..\uff0fescaped")),
    "names one file in two Unicode forms": lambda: archive(member("caf\u00e9"), member("cafe\u0301")),
    "has a control character in a name": lambda: archive(member("saved\x1b[2J_model.pb")),
    "is cut": lambda: archive(member("data", bytes(range(256)) * 400))[:-300],
    "is cut inside": lambda: gzip.compress(gzip.decompress(archive(member("data", bytes(5000))))[:2000]),
    "claims a header of gigabytes": lambda: gzip.compress(huge_header() + bytes(4096)),
}


def huge_header() -> bytes:
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 3 << 30
    return header.tobuf()


@pytest.mark.parametrize("harm", ARCHIVES)
def test_a_hostile_archive_is_refused_and_leaves_nothing(harm, hub, tmp_path):
    hub.serve("/hostile/net/1", ARCHIVES[harm]())
    with pytest.raises(WeightsError):
        fetch(WeightsSpec(tfhub="https://tfhub.dev/hostile/net/1"), wanted_by="a test")
    cache = tmp_path / "cache"
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".lock"] == []
    assert {path.name for path in tmp_path.iterdir()} <= {cache.name}
    assert not Path(hostile_models.VICTIM).exists()


@pytest.mark.parametrize("harm", hostile_models.MODELS)
@pytest.mark.filterwarnings("ignore")  # TensorFlow's own, while it saves what nobody should
def test_a_hostile_model_is_refused_before_it_is_loaded(harm, tmp_path):
    hostile_models.MODELS[harm](tmp_path / "net")
    with pytest.raises(WeightsError, match=r"does more than compute: (op '|asset ')"):
        refuse_code(tmp_path / "net")
    assert not Path(hostile_models.VICTIM).exists()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_TRUST_CODE", "")
        trust(tmp_path / "net")
        refuse_code(tmp_path / "net")
        with pytest.raises(WeightsError):
            refuse_code(shutil.copytree(tmp_path / "net", tmp_path / "other"))


@pytest.mark.parametrize("harm", hostile_keras.FILES)
def test_a_hostile_keras_file_is_refused(harm, tmp_path):
    from zoo import BackboneSpec
    from zoo.backbone import load_backbone

    file = hostile_keras.FILES[harm](tmp_path)
    outputs = {"features": {"weights": {"path": str(file)}}}
    spec = BackboneSpec.model_validate({"name": "mine", "input": {"kind": "image", "size": [8, 8]}, "outputs": outputs})
    load_backbone(spec, "features", {"weights": hostile_keras.honest(tmp_path / "same.keras")}).load()
    with pytest.raises((WeightsError, BackboneError), match=r"holds |Not allowed: H5 file with ExternalLink"):
        load_backbone(spec, "features", {"weights": file}).load()


def two_savers(folder):
    hostile_models.first_version(folder, savers=2)


def keras_export(folder):
    import keras

    net = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.BatchNormalization()])
    net.compile("adam", "mse")
    net.fit(tf.ones((2, 4)), tf.ones((2, 3)), verbose=0, shuffle=False)
    net.export(folder, verbose=False)


def unused_function(folder):
    hostile_models.edited(lambda meta: hostile_models.function(meta, "left_over", "WriteFile"))(folder)


HONEST = {
    "TensorFlow 1 with two savers": two_savers,
    "TensorFlow 1 with tables at the start": lambda folder: hostile_models.first_version(
        folder, tf.compat.v1.tables_initializer
    ),
    "Keras' export after training": keras_export,
    "variables and their saver": hostile_models.with_a_variable,
    "a function that nothing can reach": unused_function,
}


@pytest.mark.parametrize("form", HONEST)
@pytest.mark.filterwarnings("ignore")
def test_an_honest_model_passes(form, tmp_path):
    HONEST[form](tmp_path / "net")
    refuse_code(tmp_path / "net")


def test_a_model_that_passed_is_not_read_again_and_a_changed_one_is(tmp_path, monkeypatch):
    from zoo import safety

    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    hostile_models.with_a_variable(tmp_path / "net")
    refuse_code(tmp_path / "net")
    with monkeypatch.context() as patch:
        patch.delattr(safety, "Program")
        refuse_code(tmp_path / "net")
    hostile_models.edited(hostile_models.op_of_nobody, lambda folder: None)(tmp_path / "net")
    for _ in range(2):  # what was refused is refused again
        with pytest.raises(WeightsError, match="SteerTheLaser"):
            refuse_code(tmp_path / "net")


def test_a_frozen_graph_is_a_program_too(tmp_path):
    graph = tf.compat.v1.GraphDef()
    graph.node.add(name="x", op="MatMul")
    (tmp_path / "good.pb").write_bytes(graph.SerializeToString())
    refuse_code(tmp_path / "good.pb")
    graph.node.add(name="y", op="ReadFile")
    (tmp_path / "bad.pb").write_bytes(graph.SerializeToString())
    with pytest.raises(WeightsError, match="op 'ReadFile'"):
        refuse_code(tmp_path / "bad.pb")
