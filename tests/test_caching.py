"""`zoo cache` tells what lies there and whether it is what was fetched, mends it, and removes what nobody needs."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hub import fetching, module, packed

from zoo.cache import Entry, cache_folder, manifest
from zoo.cli import main
from zoo.errors import WeightsError
from zoo.inventory import items, prune
from zoo.specs import WeightsSpec
from zoo.weights import at_hand, digest, fetch

HANDLE = "https://tfhub.dev/google/imagenet/tiny/classification/5"
OTHER = "https://tfhub.dev/google/other/1"
NOBODY = 65534


@pytest.fixture
def published(hub, tmp_path):
    hub.publish(HANDLE, module(tmp_path / "published"))
    hub.publish(OTHER, module(tmp_path / "other", "other"))
    return hub


def get(handle: str = HANDLE) -> Path:
    return fetch(WeightsSpec(tfhub=handle), wanted_by="backbone 'tiny'")


def zoo(capsys, *arguments: str) -> tuple[int, str]:
    """The exit code, and what was printed on stdout."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return ended.value.code or 0, capsys.readouterr().out


def spoil(path: Path) -> None:
    """Change a byte, and hide it as a failing disk does: size and time stay."""
    file = path / "saved_model.pb"
    times = file.stat()
    file.write_text("Published")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


def age(path: Path, days: float) -> None:
    for file in (path, path / "used", path / "manifest.json"):
        if file.exists():
            os.utime(file, (time.time() - days * 86400,) * 2)


# ---- what a load looks at


def test_a_file_that_was_written_to_is_read_again_and_found_out(published):
    path = get()
    (path / "saved_model.pb").write_text("Published")  # as long as before
    assert "'saved_model.pb' has SHA-256" in Entry(HANDLE).damage()
    assert at_hand(WeightsSpec(tfhub=HANDLE)) is None
    assert (get() / "saved_model.pb").read_text() == "published"


def test_a_cache_that_was_copied_without_its_times_is_read_once_and_then_trusted(published):
    path = get()
    for file in path.rglob("*.*"):
        os.utime(file, (1, 1))
    assert get() == path
    assert len(published.requests) == 1
    assert manifest(path.parent)["files"]["saved_model.pb"]["mtime_ns"] == 10**9


def test_what_hides_its_damage_is_found_by_verify_and_mended_by_repair(published, capsys):
    path = get()
    get(OTHER)
    spoil(path)
    assert Entry(HANDLE).damage() == ""
    code, said = zoo(capsys, "cache", "verify")
    assert (code, said.splitlines()[1]) == (1, f"whole     {OTHER}")
    assert said.startswith(f"damaged   {HANDLE}: 'saved_model.pb' has SHA-256")
    code, said = zoo(capsys, "cache", "verify", "--repair", "--json")
    assert (code, [row["state"] for row in json.loads(said)]) == (0, ["repaired", "whole"])
    assert zoo(capsys, "cache", "verify")[0] == 0
    assert len(published.requests) == 3


def test_what_cannot_be_fetched_again_stays_damaged_and_says_why(published, capsys):
    spoil(get())
    published.refuse(HANDLE, 404)
    code, said = zoo(capsys, "cache", "verify", "--repair", "*tiny*")
    assert code == 1
    assert "404 Not Found" in said
    assert get()  # the old is not taken away


def test_a_file_that_was_put_beside_the_others_is_damage(published, capsys):
    (get() / "extra.so").write_bytes(b"x")
    code, said = zoo(capsys, "cache", "verify")
    assert (code, "'extra.so' was not fetched" in said) == (1, True)


def test_an_entry_whose_manifest_is_gone_is_named_by_its_folder(published, capsys):
    path = get()
    (path.parent / "manifest.json").unlink()
    code, said = zoo(capsys, "cache", "verify")
    assert code == 1
    assert path.parent.name in said


def test_a_name_that_means_nothing_in_the_cache_is_told(published, capsys):
    with pytest.raises(SystemExit):
        main(["cache", "verify", "nobody"])
    assert "has no weights of 'nobody'; 'zoo cache ls' shows what it has" in capsys.readouterr().err


# ---- a cache that can't be written


@pytest.fixture
def shared_cache(monkeypatch):
    """A cache in a folder that other users may enter, as pytest's own folders may not be."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        monkeypatch.setenv("ZOO_CACHE", f"{folder}/cache")
        yield
        for place in [Path(folder), *Path(folder).rglob("*")]:
            place.chmod(0o755)


def test_a_cache_that_cannot_be_written_serves_what_it_holds_and_says_so_of_the_rest(published, shared_cache):
    path = get()
    for place in [cache_folder(), *cache_folder().rglob("*")]:
        place.chmod(0o555 if place.is_dir() else 0o444)
    script = f"""
import filelock, os, requests
from zoo.errors import WeightsError
from zoo.specs import WeightsSpec
from zoo.weights import fetch
if os.getuid() == 0:  # whom no permission stops
    os.setuid({NOBODY})
print(fetch(WeightsSpec(tfhub={HANDLE!r}), wanted_by="it"))
try:
    fetch(WeightsSpec(tfhub={OTHER!r}), wanted_by="it")
except WeightsError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[0] == str(path), done.stderr
    assert f"it: the cache '{cache_folder()}' can't be written" in done.stdout.splitlines()[1]
    assert len(published.requests) == 1


# ---- what there is, and less of it


def test_ls_tells_what_how_large_how_old_and_from_where(published, capsys):
    get()
    (cache_folder() / "converted" / "tiny-onnx").mkdir(parents=True)
    (cache_folder() / "converted" / "tiny-onnx" / "network.onnx").write_bytes(bytes(2_000_000))
    (cache_folder() / "choices").mkdir()
    (cache_folder() / "choices" / "one.json").write_text("{}")
    code, said = zoo(capsys, "cache", "ls")
    assert code == 0
    lines = {line.split()[0]: " ".join(line.split()[1:]) for line in said.splitlines()}
    assert lines["converted"] == "2.0 MB today tiny-onnx"
    assert lines["choices"] == "0.0 MB today 1 note"
    assert lines["weights"].startswith(f"0.0 MB today {HANDLE} from {published.url}/google/imagenet/tiny")
    rows = json.loads(zoo(capsys, "cache", "ls", "--json")[1])
    assert {row["kind"] for row in rows} == {"weights", "converted", "choices"}
    assert zoo(capsys, "cache", "path")[1].strip() == str(cache_folder())


def test_an_empty_cache_is_listed_and_checked_and_pruned_without_making_one(hub, capsys):
    for command in ("ls", "verify", "prune"):
        assert zoo(capsys, "cache", command) == (0, "")
    assert not cache_folder().exists()


def test_prune_takes_the_dead_and_nothing_else(published, capsys):
    whole = get()
    (get(OTHER) / "saved_model.pb").unlink()
    (cache_folder() / "drafts" / "of-one-that-died").mkdir()
    old = cache_folder() / "parts" / "half-of-something"
    old.mkdir(parents=True)
    age(old, 30)
    new = cache_folder() / "parts" / "half-of-something-else"
    new.mkdir()
    assert {item.dead.split(":")[0] for item in prune(dry_run=True)} == {
        "damaged",
        "left by a process that died",
        "half of a download that nobody went on with",
    }
    assert not zoo(capsys, "cache", "prune", "--dry-run")[0]
    assert old.exists()
    zoo(capsys, "cache", "prune")
    assert {item.name for item in items()} == {HANDLE, new.name}
    assert get() == whole


def test_prune_by_age_goes_by_the_last_use(published, capsys):
    age(get().parent, 40)
    age(get(OTHER).parent, 40)
    get(OTHER)  # used today
    code, said = zoo(capsys, "cache", "prune", "--older-than", "30")
    assert (code, said.split()[0], said.split(": ")[1].strip()) == (0, "weights", "not used for 40 days")
    assert {item.name for item in items()} == {OTHER}


def test_prune_by_size_takes_the_longest_unused_first(published, capsys):
    for days, name in ((3, "old"), (1, "new")):
        folder = cache_folder() / "converted" / name
        folder.mkdir(parents=True)
        (folder / "network").write_bytes(bytes(600_000))
        age(folder, days)
    get()
    zoo(capsys, "cache", "prune", "--max-size", "0.001")
    assert {item.name for item in items()} == {"new", HANDLE}
    zoo(capsys, "cache", "prune", "--max-size", "0")
    assert items() == []


@pytest.mark.parametrize("value", ["-1", "nan", "much"])
def test_a_size_that_is_none_is_wrong_usage(hub, capsys, value):
    assert zoo(capsys, "cache", "prune", "--max-size", value)[0] == 2


def test_prune_leaves_what_a_process_is_writing(published, capsys):
    published.stall(HANDLE)
    living = fetching(tfhub=HANDLE)
    assert published.stalled.wait(30)
    zoo(capsys, "cache", "prune", "--older-than", "0", "--max-size", "0")
    published.behave(HANDLE)
    answer, _ = living.communicate(timeout=30)
    assert digest(Path(answer.strip())) == digest(get())
    assert len(published.requests) == 1


def test_a_cache_that_cannot_be_pruned_says_so(published, monkeypatch):
    get()
    monkeypatch.setattr("zoo.inventory.Path.replace", lambda *_: (_ for _ in ()).throw(PermissionError(13, "denied")))
    with pytest.raises(WeightsError, match="can't be written"):
        prune(older_than=0)


def test_doctor_reports_the_cache_and_what_is_wrong_with_it(published, capsys, monkeypatch):
    from zoo.cli.doctor import _cache, _sources

    (get() / "saved_model.pb").unlink()
    (cache_folder() / "drafts" / "of-one-that-died").mkdir()
    states = [(found.state, found.detail) for found in _cache()]
    assert states[0][0] == "ok"
    assert f"{cache_folder()}, 1 module," in states[0][1]
    assert states[1] == (
        "fault",
        f"{HANDLE!r}: 'saved_model.pb' is missing; 'zoo cache verify --repair' fetches it again",
    )
    assert states[2][1].startswith("1 dead draft")
    monkeypatch.setenv("ZOO_LOCK", "none")
    assert [found.what for found in _sources() if found.state == "fault"] == ["lock file"]


def test_what_a_mirror_brought_that_is_not_set_any_more_cannot_be_repaired_and_says_why(
    published, tmp_path, monkeypatch, capsys
):
    archive = tmp_path / "mirror" / "google/imagenet/tiny/classification/5.tar.gz"
    archive.parent.mkdir(parents=True)
    archive.write_bytes(packed(tmp_path / "published"))
    monkeypatch.setenv("ZOO_MIRROR", str(tmp_path / "mirror"))
    spoil(get())
    monkeypatch.delenv("ZOO_MIRROR")
    code, said = zoo(capsys, "cache", "verify", "--repair")
    assert (code, "a mirror that is not set any more?" in said) == (1, True)
    monkeypatch.setenv("ZOO_MIRROR", str(tmp_path / "mirror"))
    assert zoo(capsys, "cache", "verify", "--repair")[0] == 0
