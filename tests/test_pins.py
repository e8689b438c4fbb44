"""A lock file pins what a handle delivers: a changed remote is noticed, and what to do is said."""

import json
from pathlib import Path

import pytest
from hub import module, packed

from zoo.cache import Entry, cache_folder
from zoo.cli import main
from zoo.errors import WeightsError, ZooWarning
from zoo.specs import WeightsSpec
from zoo.weights import digest, fetch

HANDLE = "https://tfhub.dev/google/imagenet/tiny/classification/5"
OTHER = "https://tfhub.dev/google/other/1"


@pytest.fixture
def project(hub, tmp_path, monkeypatch):
    """A project's folder, and a hub with two modules."""
    hub.publish(HANDLE, module(tmp_path / "published"))
    hub.publish(OTHER, module(tmp_path / "other", "other"))
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    return hub


def get(handle: str = HANDLE) -> Path:
    return fetch(WeightsSpec(tfhub=handle), wanted_by="backbone 'tiny'")


def zoo(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return ended.value.code or 0


def swap(hub, tmp_path: Path, name: str = "changed") -> str:
    """Let the hub serve something else under the same handle; returns its digest."""
    hub.publish(HANDLE, module(tmp_path / name, name))
    return digest(tmp_path / name)


def forgotten(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "another-machine"))


def test_pull_writes_what_came_into_the_lock_file(project, tmp_path):
    assert zoo("pull", HANDLE, "--lock", "zoo.lock") == 0
    assert json.loads(Path("zoo.lock").read_text()) == {
        "version": 1,
        "weights": {HANDLE: digest(tmp_path / "published")},
    }
    assert zoo("pull", OTHER, "--lock", "zoo.lock") == 0
    assert set(json.loads(Path("zoo.lock").read_text())["weights"]) == {HANDLE, OTHER}


@pytest.mark.parametrize("named", [False, True])
def test_a_changed_remote_is_refused_with_both_digests_and_the_way_out(project, tmp_path, monkeypatch, named):
    lock = tmp_path / "pins" if named else tmp_path / "project" / "zoo.lock"
    zoo("pull", HANDLE, "--lock", str(lock))
    if named:
        monkeypatch.setenv("ZOO_LOCK", str(lock))
    pinned, found = digest(get()), swap(project, tmp_path)
    forgotten(monkeypatch, tmp_path)
    with pytest.raises(WeightsError) as caught:
        get()
    for part in ("backbone 'tiny'", repr(HANDLE), pinned, found, str(lock), "--update-lock"):
        assert part in str(caught.value)
    assert not Entry(HANDLE).folder.exists()


def test_update_lock_takes_the_new_one(project, tmp_path, monkeypatch):
    zoo("pull", HANDLE, OTHER, "--lock", "zoo.lock")
    found = swap(project, tmp_path)
    forgotten(monkeypatch, tmp_path)
    assert zoo("pull", HANDLE) == 1
    assert zoo("pull", "--update-lock", HANDLE) == 0
    weights = json.loads(Path("zoo.lock").read_text())["weights"]
    assert weights == {HANDLE: found, OTHER: digest(tmp_path / "other")}
    assert digest(get()) == found


def test_pull_with_a_lock_file_does_not_let_a_changed_remote_pass(project, tmp_path, monkeypatch, capsys):
    zoo("pull", HANDLE, "--lock", "pins")
    before = Path("pins").read_text()
    swap(project, tmp_path)
    forgotten(monkeypatch, tmp_path)
    monkeypatch.delenv("ZOO_LOCK", raising=False)
    assert zoo("pull", HANDLE, "--lock", "pins") == 1
    assert Path("pins").read_text() == before


def test_what_lies_in_the_cache_already_is_held_to_the_lock_file(project, monkeypatch):
    get()
    Path("zoo.lock").write_text(json.dumps({"version": 1, "weights": {HANDLE: "0" * 64}}))
    with pytest.raises(WeightsError, match=f"is pinned to digest {'0' * 64}"):
        get()


@pytest.mark.parametrize("kind", ["folder", "archive"])
def test_a_mirror_is_held_to_the_lock_file_of_the_handle(project, tmp_path, monkeypatch, kind):
    zoo("pull", HANDLE, "--lock", "zoo.lock")
    place = tmp_path / "mirror" / "google/imagenet/tiny/classification/5"
    other = module(place, "mirrored")
    if kind == "archive":
        place.with_name("5.tar.gz").write_bytes(packed(other))
        other.rename(tmp_path / "aside")
    monkeypatch.setenv("ZOO_MIRROR", str(tmp_path / "mirror"))
    with pytest.raises(WeightsError, match="is pinned to digest"):
        get()


def test_without_a_lock_file_a_remote_that_changed_is_told(project, tmp_path):
    path = get()
    (path / "saved_model.pb").write_text("spoilt...")
    swap(project, tmp_path)
    with pytest.warns(ZooWarning, match="delivers something else than it did before: saved_model.pb changed"):
        get()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "can't be read: JSONDecodeError"),
        ('{"version": 2, "weights": {}}', "has version 2; this zoo knows 1"),
        ('{"version": 1, "weights": {"x": "abc"}}', "pins 'x' to 'abc', which is no SHA-256"),
        ("[]", "can't be read: TypeError"),
    ],
)
def test_a_malformed_lock_file_is_named_with_what_is_wrong(project, text, said):
    Path("zoo.lock").write_text(text)
    with pytest.raises(WeightsError, match=f"the lock file '.*zoo.lock' {said}"):
        get()


def test_a_lock_file_that_is_named_and_not_there_stops(project, monkeypatch):
    monkeypatch.setenv("ZOO_LOCK", "none.lock")
    with pytest.raises(WeightsError, match=r"ZOO_LOCK names '.*none.lock', and there is no such file"):
        get()
    assert not cache_folder().exists() or not Entry(HANDLE).folder.exists()
