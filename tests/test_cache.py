"""The cache holds an entry whole or not at all, whatever happens to the processes that write it."""

import hashlib
import subprocess
from pathlib import Path

import psutil
import pytest
from hub import fetching, kaggle_hub, module

from zoo.cache import Entry
from zoo.errors import DownloadError, WeightsError
from zoo.specs import WeightsSpec
from zoo.weights import at_hand, cache_folder, digest, fetch, size

HANDLE = "https://tfhub.dev/google/imagenet/tiny/classification/5"
KAGGLE = "google/tiny/tensorFlow2/classification/2"


@pytest.fixture
def published(hub, tmp_path):
    hub.publish(HANDLE, module(tmp_path / "published"))
    return hub


def get(**places: str) -> Path:
    return fetch(WeightsSpec(**places), wanted_by="backbone 'tiny'")


def leftovers() -> list[Path]:
    drafts = cache_folder() / "drafts"
    return list(drafts.iterdir()) if drafts.exists() else []


# ---- several processes


def test_processes_that_ask_at_once_download_once(published):
    asking = [fetching(tfhub=HANDLE) for _ in range(3)]
    answers = [process.communicate(timeout=60) for process in asking]
    assert set(answers) == {(f"{get(tfhub=HANDLE)}\n", "")}
    assert len(published.requests) == 1


def test_who_waits_long_for_another_process_is_told(published):
    published.stall(HANDLE)
    slow = fetching(tfhub=HANDLE)
    assert published.stalled.wait(30)
    waiting = fetching(tfhub=HANDLE)
    assert waiting.stderr.readline() == f"waiting for another process that is fetching {HANDLE!r} ...\n"
    published.behave(HANDLE)
    assert slow.communicate() == waiting.communicate() == (f"{get(tfhub=HANDLE)}\n", "")
    assert len(published.requests) == 1


def test_a_process_killed_in_mid_download_leaves_nothing_that_counts(published):
    published.stall(HANDLE)
    doomed = fetching(tfhub=HANDLE)
    assert published.stalled.wait(30)
    doomed.kill()
    doomed.communicate()
    assert leftovers() != []
    assert at_hand(WeightsSpec(tfhub=HANDLE)) is None
    published.behave(HANDLE)
    assert digest(get(tfhub=HANDLE)) == digest(module(cache_folder() / "same"))
    assert leftovers() == []


def test_what_a_killed_process_left_is_cleaned_when_another_handle_is_fetched(published, tmp_path):
    published.publish("https://tfhub.dev/google/other/1", module(tmp_path / "other"))
    published.stall(HANDLE)
    doomed = fetching(tfhub=HANDLE)
    assert published.stalled.wait(30)
    doomed.kill()
    doomed.communicate()
    get(tfhub="https://tfhub.dev/google/other/1")
    assert leftovers() == []


def test_what_a_living_process_writes_is_left_alone(published, tmp_path):
    published.publish("https://tfhub.dev/google/other/1", module(tmp_path / "other"))
    published.stall(HANDLE)
    living = fetching(tfhub=HANDLE)
    assert published.stalled.wait(30)
    get(tfhub="https://tfhub.dev/google/other/1")
    assert len(leftovers()) == 1
    living.kill()
    living.communicate()


def test_kagglehub_ends_with_the_process_that_wanted_it(hub, tmp_path):
    with kaggle_hub() as kaggle:
        kaggle.publish(KAGGLE, module(tmp_path / "theirs"))
        kaggle.stall(KAGGLE)
        doomed = fetching(kaggle=KAGGLE)
        assert kaggle.stalled.wait(30)
        (child,) = psutil.Process(doomed.pid).children()
        doomed.kill()
        doomed.communicate()
        assert psutil.wait_procs([child], timeout=10)[1] == []


# ---- damage


@pytest.mark.parametrize("harm", ["shorten", "remove", "manifest"])
def test_a_damaged_copy_is_fetched_again(published, harm):
    path = get(tfhub=HANDLE)
    damage(path, harm)
    assert at_hand(WeightsSpec(tfhub=HANDLE)) is None
    assert digest(get(tfhub=HANDLE)) == digest(module(path.parents[3] / "same"))
    assert len(published.requests) == 2


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ("shorten", r"'saved_model.pb' has 3 bytes, not 9"),
        ("remove", r"'saved_model.pb' is missing"),
        ("manifest", r"'manifest.json' can't be read"),
    ],
)
def test_a_damaged_copy_without_network_says_what_is_wrong(published, monkeypatch, harm, said):
    damage(get(tfhub=HANDLE), harm)
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    with pytest.raises(DownloadError, match=said) as caught:
        get(tfhub=HANDLE)
    assert "unset ZOO_OFFLINE" in str(caught.value)


def damage(path: Path, harm: str) -> None:
    if harm == "shorten":
        (path / "saved_model.pb").write_text("pub")
    elif harm == "remove":
        (path / "saved_model.pb").unlink()
    else:
        (path.parent / "manifest.json").write_text("{")


def test_offline_the_network_is_never_touched(published, monkeypatch):
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    monkeypatch.setenv("ZOO_MIRROR", f"{published.url}/mirror")
    with pytest.raises(DownloadError, match=r"not asked, ZOO_OFFLINE forbids it"):
        get(tfhub=HANDLE, kaggle=KAGGLE)
    assert published.requests == []
    assert not cache_folder().exists()


def test_offline_what_the_cache_holds_is_used(published, monkeypatch):
    path = get(tfhub=HANDLE)
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    assert get(tfhub=HANDLE) == path


def test_the_cache_lies_in_the_users_cache_folder_unless_moved(monkeypatch, tmp_path):
    monkeypatch.delenv("ZOO_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("sys.platform", "linux")
    assert cache_folder() == tmp_path / "zoo"
    monkeypatch.setenv("ZOO_CACHE", "~/elsewhere")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "elsewhere"


def test_addresses_that_look_alike_have_entries_of_their_own():
    alike = ["https://h/a/b-c", "https://h/a-b/c", "https://h/a/b/c", "https://h/A/b/c", "https://h/a/b/c?x"]
    assert len({Entry(address).key.lower() for address in alike}) == len(alike)
    assert all(set(Entry(address).key) & set('/\\:*?"<>|') == set() for address in alike)


# ---- digests


def test_a_digest_depends_on_names_and_contents_and_nothing_else(tmp_path):
    same, again, renamed, changed = (module(tmp_path / name) for name in ("same", "again", "renamed", "changed"))
    (renamed / "saved_model.pb").rename(renamed / "saved_model.pbtxt")
    (changed / "saved_model.pb").write_text("publisheD")
    assert digest(same) == digest(again)
    assert len({digest(path) for path in (same, renamed, changed)}) == 3
    assert size(same) == size(changed) == 9 + 4096


def test_a_digest_is_what_sha256sum_says(tmp_path):
    module(tmp_path / "net")
    lines = subprocess.run(
        ["sha256sum", "-z", "saved_model.pb", "variables/variables.index"],
        cwd=tmp_path / "net",
        capture_output=True,
        check=True,
    ).stdout
    assert digest(tmp_path / "net") == hashlib.sha256(lines).hexdigest()


def test_a_digest_of_what_the_cache_holds_is_read_from_its_manifest(published):
    path = get(tfhub=HANDLE)
    manifest = path.parent / "manifest.json"
    computed = digest(path)
    manifest.write_text(manifest.read_text().replace(hashlib.sha256(b"published").hexdigest(), "0" * 64))
    assert digest(path) != computed


def test_a_digest_of_nothing_is_an_error(tmp_path):
    for measure in (digest, size):
        with pytest.raises(WeightsError, match=r"there is no file or folder '.*none'"):
            measure(tmp_path / "none")
