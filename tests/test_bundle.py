"""A bundle carries weights to a machine without network, whole or not at all, and brings nothing else along."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest
from hub import module, packed

from zoo.bundle import export_bundle, import_bundle
from zoo.cache import Entry, cache_folder, entries
from zoo.cli import main
from zoo.errors import ArchiveError, WeightsError
from zoo.specs import WeightsSpec
from zoo.weights import digest, fetch

HANDLE = "https://tfhub.dev/google/imagenet/tiny/classification/5"
OTHER = "https://tfhub.dev/google/other/1"
ROOT = f"entries/{Entry(HANDLE).key}"


@pytest.fixture
def published(hub, tmp_path):
    hub.publish(HANDLE, module(tmp_path / "published"))
    hub.publish(OTHER, module(tmp_path / "other", "other"))
    return hub


def get(handle: str = HANDLE) -> Path:
    return fetch(WeightsSpec(tfhub=handle), wanted_by="backbone 'tiny'")


def elsewhere(monkeypatch, tmp_path: Path) -> None:
    """A machine without network and with an empty cache."""
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    monkeypatch.delenv("ZOO_MIRROR", raising=False)


def zoo(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return ended.value.code or 0


def test_what_was_exported_here_runs_there_without_network(published, tmp_path, monkeypatch, capsys):
    before = {digest(get()), digest(get(OTHER))}
    assert zoo("cache", "export", str(tmp_path / "all.zoo")) == 0
    elsewhere(monkeypatch, tmp_path)
    assert zoo("cache", "import", str(tmp_path / "all.zoo")) == 0
    assert {digest(get()), digest(get(OTHER))} == before
    assert capsys.readouterr().out.count("taken in") == 2
    assert [entry.full_damage() for entry in entries()] == ["", ""]
    assert zoo("cache", "import", str(tmp_path / "all.zoo")) == 0
    assert capsys.readouterr().out.count("at hand") == 2


def test_only_what_is_named_is_exported(published, tmp_path, monkeypatch):
    get()
    get(OTHER)
    assert zoo("cache", "export", str(tmp_path / "one.zoo"), "*other*") == 0
    elsewhere(monkeypatch, tmp_path)
    assert [entry.address for entry, _ in import_bundle(tmp_path / "one.zoo")] == [OTHER]


def test_what_a_mirror_delivered_is_found_where_there_is_none(published, tmp_path, monkeypatch):
    archive = tmp_path / "mirror" / "google/imagenet/tiny/classification/5.tar.gz"
    archive.parent.mkdir(parents=True)
    archive.write_bytes(packed(module(tmp_path / "mirrored", "mirrored")))
    monkeypatch.setenv("ZOO_MIRROR", str(tmp_path / "mirror"))
    get()
    export_bundle(tmp_path / "all.zoo", entries())
    elsewhere(monkeypatch, tmp_path)
    import_bundle(tmp_path / "all.zoo")
    assert (get() / "saved_model.pb").read_text() == "mirrored"


def test_damaged_weights_are_not_exported(published, tmp_path):
    (get() / "saved_model.pb").write_text("Published")
    with pytest.raises(WeightsError, match=r"is damaged \('saved_model.pb' has SHA-256"):
        export_bundle(tmp_path / "all.zoo", [Entry(HANDLE)])
    assert not list(tmp_path.glob("all.zoo*"))


def test_an_empty_cache_has_nothing_to_export(hub, tmp_path):
    with pytest.raises(WeightsError, match="has no weights to export"):
        export_bundle(tmp_path / "all.zoo", entries())


def test_a_lock_file_holds_for_bundles_too(published, tmp_path, monkeypatch):
    get()
    export_bundle(tmp_path / "all.zoo", entries())
    elsewhere(monkeypatch, tmp_path)
    (tmp_path / "pins").write_text(json.dumps({"version": 1, "weights": {HANDLE: "0" * 64}}))
    monkeypatch.setenv("ZOO_LOCK", str(tmp_path / "pins"))
    with pytest.raises(WeightsError, match="is pinned to digest"):
        import_bundle(tmp_path / "all.zoo")
    assert entries() == []


# ---- hostile ones


def bundle(file: Path, manifest: object = None, *, names: dict[str, bytes] | None = None, **other: object) -> Path:
    """A bundle of one module; `other` changes its manifest, `names` what lies in it."""
    content = {f"{ROOT}/files/saved_model.pb": b"graph"} if names is None else names
    stated = {"saved_model.pb": {"size": 5, "sha256": hashlib.sha256(b"graph").hexdigest()}}
    told = {"address": HANDLE, "source": "x", "date": "2026-01-01", "weights": ".", "files": stated, "places": {}}
    content = {f"{ROOT}/manifest.json": json.dumps(manifest or told | other).encode(), **content}
    with tarfile.open(file, "w") as tar:
        for name, body in content.items():
            head = tarfile.TarInfo(name)
            head.size = len(body)
            tar.addfile(head, io.BytesIO(body))
    return file


GRAPH = {f"{ROOT}/files/saved_model.pb": b"graph"}
HOSTILE = {
    "other content": {"names": {f"{ROOT}/files/saved_model.pb": b"Graph"}},
    "other address": {"address": OTHER},
    "file too many": {"names": GRAPH | {f"{ROOT}/files/extra": b"x"}},
    "file missing": {"names": {f"{ROOT}/files/other": b"graph"}},
    "no file": {"names": {}, "files": {}},
    "weights outside": {"weights": "../../../outside"},
    "absolute weights": {"weights": "/etc"},
    "file beside": {"names": GRAPH | {f"{ROOT}/used": b""}},
    "folder beside": {"names": GRAPH | {"locks/x.lock": b""}},
    "climbing": {"names": GRAPH | {f"{ROOT}/files/../../../escaped": b""}},
    "manifest is a list": {"manifest": [1]},
    "files is a text": {"files": "saved_model.pb"},
    "a place that is none": {"places": {"shell": "rm"}},
    "digest missing": {"files": {"saved_model.pb": {"size": 5}}},
}


@pytest.mark.parametrize("form", HOSTILE)
def test_a_hostile_bundle_is_refused_whole(hub, tmp_path, form):
    with pytest.raises(ArchiveError, match=r"the bundle '.*bad.zoo' is refused: "):
        import_bundle(bundle(tmp_path / "bad.zoo", **HOSTILE[form]))
    assert entries() == []
    assert list((cache_folder() / "drafts").iterdir()) == []
    assert not (tmp_path / "escaped").exists()


def test_the_harmless_form_of_these_is_taken(hub, tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    import_bundle(bundle(tmp_path / "good.zoo", used_to_say="nothing"))
    assert (get() / "saved_model.pb").read_bytes() == b"graph"


@pytest.mark.parametrize("content", [b"", b"<!DOCTYPE html>", b"\x1f\x8b\x08cut"])
def test_a_file_that_is_no_bundle_is_named(hub, tmp_path, content, capsys):
    (tmp_path / "page").write_bytes(content)
    assert zoo("cache", "import", str(tmp_path / "page")) == 1
    assert "zoo: the bundle" in capsys.readouterr().err
    assert zoo("cache", "import", str(tmp_path / "none")) == 1


def test_a_cache_that_cannot_be_written_takes_no_bundle_and_says_so(hub, tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(bundle(tmp_path / "good.zoo")))  # a file, where a folder should be
    with pytest.raises(WeightsError, match="can't be written"):
        import_bundle(tmp_path / "good.zoo")
