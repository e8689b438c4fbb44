"""Weights come from an explicit path, a mirror, the cache or the hub, in this order, and are what they were."""

import hashlib
import json
from pathlib import Path

import pytest
from hub import kaggle_hub, module, packed

from zoo.errors import DownloadError, WeightsError
from zoo.specs import WeightsSpec
from zoo.weights import at_hand, cache_folder, digest, fetch, size

HANDLE = "https://tfhub.dev/google/imagenet/tiny/classification/5"
KAGGLE = "google/tiny/tensorFlow2/classification/2"
FILE = "https://storage.googleapis.com/tensorflow/keras-applications/tiny/tiny.h5"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 12345\n"


@pytest.fixture
def published(hub, tmp_path):
    hub.publish(HANDLE, module(tmp_path / "published"))
    return hub


def content(path: Path) -> str:
    return (path / "saved_model.pb").read_text()


def get(**places: str) -> Path:
    return fetch(WeightsSpec(**places), wanted_by="backbone 'tiny'")


# ---- an explicit path


@pytest.mark.parametrize("text", ["$ZOO_TEST_DIR/net", "${ZOO_TEST_DIR}/net", "~/net"])
def test_a_path_may_hold_variables_and_the_home_folder(tmp_path, monkeypatch, text):
    monkeypatch.setenv("ZOO_TEST_DIR", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    module(tmp_path / "net")
    assert get(path=text) == at_hand(WeightsSpec(path=text)) == tmp_path / "net"


def test_a_relative_variable_counts_from_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ZOO_TEST_DIR", "models")
    module(tmp_path / "models" / "net")
    assert get(path="$ZOO_TEST_DIR/net") == tmp_path / "models" / "net"


@pytest.mark.parametrize("value", [None, ""])
def test_an_unset_variable_is_named_with_the_path(monkeypatch, value):
    monkeypatch.delenv("ZOO_TEST_DIR", raising=False)
    if value is not None:
        monkeypatch.setenv("ZOO_TEST_DIR", value)
    with pytest.raises(
        WeightsError, match=r"backbone 'tiny': .*'\$ZOO_TEST_DIR/net'.*'ZOO_TEST_DIR', which is not set"
    ):
        get(path="$ZOO_TEST_DIR/net")
    assert at_hand(WeightsSpec(path="$ZOO_TEST_DIR/net")) is None


def test_a_path_that_is_not_there_is_named_as_written_and_as_meant(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_TEST_DIR", str(tmp_path))
    with pytest.raises(WeightsError) as caught:
        get(path="$ZOO_TEST_DIR/net")
    assert f"no file or folder '{tmp_path}/net' (from '$ZOO_TEST_DIR/net')" in str(caught.value)


def test_a_path_that_the_system_refuses_is_an_error_of_the_zoo():
    with pytest.raises(WeightsError, match=r"backbone 'tiny': '/.*xxx.*' can't be read: File name too long"):
        get(path="x" * 5000)
    assert at_hand(WeightsSpec(path="x" * 5000)) is None


def test_a_dollar_in_the_name_of_a_folder_that_exists_is_no_variable(tmp_path):
    assert get(path=str(module(tmp_path / "pri$ce"))) == tmp_path / "pri$ce"


def test_a_path_comes_before_everything_else(published, tmp_path):
    assert content(get(path=str(module(tmp_path / "own", "own")), tfhub=HANDLE)) == "own"
    assert published.requests == []


def test_a_git_lfs_pointer_is_named_with_the_way_out(tmp_path):
    (module(tmp_path / "net") / "variables" / "variables.data-00000-of-00001").write_bytes(POINTER)
    with pytest.raises(
        WeightsError, match=r"net/variables/variables.data-00000-of-00001' is a git-LFS pointer.*git lfs pull"
    ):
        get(path=str(tmp_path / "net"))
    (tmp_path / "net.h5").write_bytes(POINTER)
    with pytest.raises(WeightsError, match=r"net.h5' is a git-LFS pointer"):
        get(path=str(tmp_path / "net.h5"))


def test_a_spec_that_names_no_place_says_so():
    with pytest.raises(WeightsError, match="backbone 'tiny': the spec names no place"):
        get()


# ---- the hub and the cache


def test_a_handle_is_fetched_once_and_lies_in_the_cache_with_a_manifest(published, tmp_path):
    assert at_hand(WeightsSpec(tfhub=HANDLE)) is None
    assert not cache_folder().exists()
    path = get(tfhub=HANDLE)
    assert get(tfhub=HANDLE) == at_hand(WeightsSpec(tfhub=HANDLE)) == path
    assert published.requests == ["GET /google/imagenet/tiny/classification/5?tf-hub-format=compressed"]
    manifest = json.loads((path.parent / "manifest.json").read_text())
    assert (manifest["address"], manifest["source"]) == (HANDLE, HANDLE.replace("https://tfhub.dev", published.url))
    facts = manifest["files"]["saved_model.pb"]
    assert (facts["sha256"], facts["size"]) == (hashlib.sha256(b"published").hexdigest(), 9)
    assert facts["mtime_ns"] == (path / "saved_model.pb").stat().st_mtime_ns
    assert set(manifest["files"]) == {"saved_model.pb", "variables/variables.index"}
    assert list((cache_folder() / "drafts").iterdir()) == []


def test_the_local_hub_speaks_the_protocol_of_tfhub_dev(published, tmp_path, monkeypatch):
    import tensorflow_hub

    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "theirs"))
    published.redirect(
        "google/moved/1", HANDLE.replace("https://tfhub.dev", published.url) + "?tf-hub-format=compressed"
    )
    for handle in (HANDLE, "https://tfhub.dev/google/moved/1"):
        theirs = Path(tensorflow_hub.resolve(handle.replace("https://tfhub.dev", published.url)))
        assert digest(theirs) == digest(get(tfhub=handle))


def test_a_single_file_keeps_its_name_and_is_held_to_the_digests_its_publisher_states(hub):
    hub.serve("/nets/tiny.h5", b"weights")
    url = f"{hub.url}/nets/tiny.h5"
    right = {"sha256": hashlib.sha256(b"weights").hexdigest(), "md5": hashlib.md5(b"weights").hexdigest()}
    for algorithm in right:
        with pytest.raises(DownloadError, match=rf"the {algorithm} of what it delivered is {right[algorithm]}, not 00"):
            get(url=url, **{algorithm: "00"})
    assert list((cache_folder() / "drafts").iterdir()) == []
    path = get(url=url, **right)
    assert path.name == "tiny.h5"
    assert (digest(path), size(path)) == (right["sha256"], 7)


def test_kaggle_is_asked_when_tfhub_refuses(hub, tmp_path):
    hub.refuse(HANDLE, 403)
    with kaggle_hub() as kaggle:
        kaggle.publish(KAGGLE, module(tmp_path / "theirs", "from Kaggle"))
        path = get(tfhub=HANDLE, kaggle=KAGGLE)
    assert content(path) == "from Kaggle"
    assert json.loads((path.parent / "manifest.json").read_text())["source"] == f"Kaggle {KAGGLE}"
    assert sorted(file.name for file in path.iterdir()) == ["saved_model.pb", "variables"]
    assert get(tfhub=HANDLE, kaggle=KAGGLE) == path


# ---- a mirror


def test_a_folder_of_a_mirror_is_used_where_it_lies(published, tmp_path, monkeypatch):
    get(tfhub=HANDLE)
    monkeypatch.setenv("ZOO_MIRROR", str(tmp_path / "mirror"))
    mirrored = module(tmp_path / "mirror/google/imagenet/tiny/classification/5", "mirrored")
    assert get(tfhub=HANDLE) == at_hand(WeightsSpec(tfhub=HANDLE)) == mirrored


@pytest.mark.parametrize("http", [False, True])
@pytest.mark.parametrize("places", [{"tfhub": HANDLE}, {"kaggle": KAGGLE}])
def test_an_archive_of_a_mirror_comes_before_what_the_cache_has_from_elsewhere(
    published, tmp_path, monkeypatch, http, places
):
    get(tfhub=HANDLE)
    name = places.get("kaggle") or "google/imagenet/tiny/classification/5"
    archive = packed(module(tmp_path / "other", "mirrored"))
    published.serve(f"/mirror/{name}.tar.gz", archive)
    (tmp_path / "mirror" / name).parent.mkdir(parents=True)
    (tmp_path / "mirror" / f"{name}.tar.gz").write_bytes(archive)
    monkeypatch.setenv("ZOO_MIRROR", f"{published.url}/mirror/" if http else str(tmp_path / "mirror"))
    assert content(get(**places)) == "mirrored"
    before = list(published.requests)
    assert get(**places) == at_hand(WeightsSpec(**places))
    assert published.requests == before


@pytest.mark.parametrize("http", [False, True])
def test_a_single_file_of_a_mirror_has_the_path_of_its_address(hub, tmp_path, monkeypatch, http):
    place = "tensorflow/keras-applications/tiny/tiny.h5"
    hub.serve(f"/mirror/{place}", b"weights")
    (tmp_path / "mirror" / place).parent.mkdir(parents=True)
    (tmp_path / "mirror" / place).write_bytes(b"weights")
    monkeypatch.setenv("ZOO_MIRROR", f"{hub.url}/mirror" if http else str(tmp_path / "mirror"))
    path = get(url=FILE, md5=hashlib.md5(b"weights").hexdigest())
    assert (path.name, path.read_bytes()) == ("tiny.h5", b"weights")


@pytest.mark.parametrize("mirror", ["{url}/mirror", "{tmp}/mirror"])
def test_what_a_mirror_lacks_comes_from_the_hub(published, tmp_path, monkeypatch, mirror):
    monkeypatch.setenv("ZOO_MIRROR", mirror.format(url=published.url, tmp=tmp_path))
    assert content(get(tfhub=HANDLE)) == "published"


def test_the_password_of_a_mirror_is_shown_nowhere(hub, monkeypatch):
    monkeypatch.setenv("ZOO_MIRROR", hub.url.replace("//", "//user:secret@"))
    with pytest.raises(DownloadError) as caught:
        get(tfhub=HANDLE)
    assert "secret" not in str(caught.value)


def test_a_mirror_with_a_damaged_archive_gives_way_to_the_hub(published, tmp_path, monkeypatch):
    archive = tmp_path / "mirror" / "google/imagenet/tiny/classification/5.tar.gz"
    archive.parent.mkdir(parents=True)
    archive.write_bytes(packed(module(tmp_path / "other", "mirrored"))[:-40])
    monkeypatch.setenv("ZOO_MIRROR", str(tmp_path / "mirror"))
    assert content(get(tfhub=HANDLE)) == "published"
    published.refuse(HANDLE, 404)
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "another"))
    with pytest.raises(DownloadError, match=r"5.tar.gz: the archive is cut or damaged"):
        get(tfhub=HANDLE)
