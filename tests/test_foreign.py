"""What tensorflow_hub, kagglehub and Keras fetched before is used where it lies, and the network is not asked."""

import hashlib
from pathlib import Path

import pytest
from hub import kaggle_hub, module

from zoo.cache import cache_folder
from zoo.errors import DownloadError
from zoo.specs import WeightsSpec
from zoo.weights import at_hand, digest, fetch

HANDLE = "https://tfhub.dev/google/imagenet/tiny/classification/5"
KAGGLE = "google/tiny/tensorFlow2/classification/2"
FILE = "https://storage.googleapis.com/tensorflow/keras-applications/tiny/tiny.h5"


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setenv("ZOO_OFFLINE", "1")


def get(**places: str) -> Path:
    return fetch(WeightsSpec(**places), wanted_by="backbone 'tiny'")


def test_what_tensorflow_hub_fetched_is_found_by_its_own_rule(hub, tmp_path, monkeypatch):
    import tensorflow_hub

    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "theirs"))
    hub.publish(HANDLE, module(tmp_path / "published"))
    handle = HANDLE.replace("https://tfhub.dev", hub.url)  # under which its cache knows it
    theirs = Path(tensorflow_hub.resolve(handle))
    asked = list(hub.requests)
    assert get(tfhub=handle) == at_hand(WeightsSpec(tfhub=handle)) == theirs
    assert hub.requests == asked
    with pytest.raises(DownloadError):
        get(tfhub=f"{handle}0")


def test_what_kagglehub_fetched_is_found_by_its_own_rule(hub, tmp_path, monkeypatch):
    import kagglehub

    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "theirs"))
    with kaggle_hub() as kaggle:
        kaggle.publish(KAGGLE, module(tmp_path / "published"))
        theirs = Path(kagglehub.model_download(KAGGLE))
    assert get(kaggle=KAGGLE) == get(kaggle=KAGGLE.replace("tensorFlow2", "TensorFlow2")) == theirs
    (theirs.with_name("2.complete")).unlink()
    assert at_hand(WeightsSpec(kaggle=KAGGLE)) is None


def test_what_keras_fetched_is_found_and_held_to_the_stated_digest(hub, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    file = tmp_path / "keras" / "models" / "tiny.h5"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"weights")
    stated = hashlib.md5(b"weights").hexdigest()
    assert get(url=FILE, md5=stated) == get(url=FILE, md5=stated) == file
    assert at_hand(WeightsSpec(url=FILE)) is None  # nothing tells whether it is the right one
    file.write_bytes(b"Weights")
    with pytest.raises(DownloadError):
        get(url=FILE, md5=stated)


def test_the_zoos_own_cache_comes_before_a_foreign_one(hub, tmp_path, monkeypatch):
    monkeypatch.delenv("ZOO_OFFLINE")
    hub.publish(HANDLE, module(tmp_path / "published"))
    own = get(tfhub=HANDLE)
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "theirs"))
    module(tmp_path / "theirs" / hashlib.sha1(HANDLE.encode()).hexdigest(), "theirs")
    assert get(tfhub=HANDLE) == own
    assert digest(own) == digest(tmp_path / "published")


def test_half_of_a_module_in_a_foreign_cache_is_not_taken(hub, tmp_path, monkeypatch):
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "theirs"))
    folder = tmp_path / "theirs" / hashlib.sha1(HANDLE.encode()).hexdigest()
    module(folder)
    (folder / "saved_model.pb").unlink()
    assert at_hand(WeightsSpec(tfhub=HANDLE)) is None


def test_a_foreign_cache_is_never_written(hub, tmp_path, monkeypatch):
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "theirs"))
    folder = module(tmp_path / "theirs" / hashlib.sha1(HANDLE.encode()).hexdigest())
    before = {path: path.stat().st_mtime_ns for path in [*folder.rglob("*"), folder]}
    assert get(tfhub=HANDLE) == folder
    assert {path: path.stat().st_mtime_ns for path in [*folder.rglob("*"), folder]} == before
    assert not cache_folder().exists()


def test_a_file_that_keras_keeps_under_another_name_is_found(hub, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    file = tmp_path / "keras" / "models" / "nasnet_mobile_no_top.h5"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"weights")
    url = FILE.replace("tiny.h5", "NASNet-mobile-no-top.h5")
    assert get(url=url, md5=hashlib.md5(b"weights").hexdigest()) == file
