"""A download that fails says what each source answered, and leaves nothing behind."""

import contextlib
import errno
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hub import fetching, kaggle_hub, module

from zoo.disk import room_for
from zoo.download import download
from zoo.errors import DownloadError, WeightsError
from zoo.patience import UnavailableError
from zoo.specs import WeightsSpec
from zoo.weights import cache_folder, fetch

HANDLE = "https://tfhub.dev/google/imagenet/tiny/classification/5"
KAGGLE = "google/tiny/tensorFlow2/classification/2"


@pytest.fixture
def published(hub, tmp_path):
    hub.publish(HANDLE, module(tmp_path / "published"))
    return hub


def get(**places: str) -> Path:
    return fetch(WeightsSpec(**places), wanted_by="backbone 'tiny'")


def nothing_is_left() -> bool:
    entries = cache_folder() / "entries"
    return not list((cache_folder() / "drafts").iterdir()) and not (entries.exists() and list(entries.iterdir()))


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda hub: hub.refuse(HANDLE, 404), "404 Not Found"),
        (lambda hub: hub.refuse(HANDLE, 403), "403 Forbidden"),
        (lambda hub: hub.refuse(HANDLE, 503), "503 Service Unavailable"),
        (lambda hub: hub.redirect(HANDLE, HANDLE.replace("https://tfhub.dev", "")), "it redirects in a circle"),
        (lambda hub: hub.cut(HANDLE), "the connection broke after "),
        (lambda hub: hub.stall(HANDLE), "nothing came for 0.3 s"),
        (lambda hub: hub.serve(HANDLE, b"<!DOCTYPE html>"), "it answered with 15 bytes that are no archive"),
        (lambda hub: hub.serve(HANDLE, b""), "it answered with 0 bytes that are no archive"),
    ],
    ids=["missing", "forbidden", "overloaded", "circle", "cut", "stalled", "html", "empty"],
)
def test_the_error_says_what_the_hub_answered_and_what_to_do(published, monkeypatch, harm, said):
    monkeypatch.setenv("ZOO_READ_TIMEOUT", "0.3")
    harm(published)
    with pytest.raises(DownloadError) as caught:
        get(tfhub=HANDLE)
    assert f"backbone 'tiny': no source delivered {HANDLE!r}" in str(caught.value)
    assert f"  {HANDLE.replace('https://tfhub.dev', published.url)}: {said}" in str(caught.value)
    assert "check the network, set ZOO_MIRROR to a folder or an address that has it, or give" in str(caught.value)
    assert nothing_is_left()
    published.behave(HANDLE)
    published.publish(HANDLE, cache_folder().parent / "published")
    assert (get(tfhub=HANDLE) / "saved_model.pb").is_file()


def test_every_source_is_listed_with_its_own_answer(published, monkeypatch, tmp_path):
    published.refuse(HANDLE, 403)
    monkeypatch.setenv("ZOO_MIRROR", str(tmp_path / "mirror"))
    with kaggle_hub(), pytest.raises(DownloadError) as caught:
        get(tfhub=HANDLE, kaggle=KAGGLE, url="http://127.0.0.1:1/tiny.h5")
    absent = "there is neither such a file nor a folder of that name without '.tar.gz'"
    assert [line.strip() for line in str(caught.value).splitlines()[1:-1]] == [
        f"{tmp_path}/mirror/google/imagenet/tiny/classification/5.tar.gz: {absent}",
        f"{tmp_path}/mirror/{KAGGLE}.tar.gz: {absent}",
        f"{tmp_path}/mirror/tiny.h5: there is no such file",
        f"{published.url}/google/imagenet/tiny/classification/5: 403 Forbidden (asked 4 times)",
        f"Kaggle {KAGGLE}: 404 Not Found",
        "http://127.0.0.1:1/tiny.h5: connection refused (asked 4 times)",
    ]


def test_a_kaggle_that_falls_silent_is_given_up(hub, monkeypatch, tmp_path):
    monkeypatch.setenv("ZOO_READ_TIMEOUT", "4")
    monkeypatch.setenv("ZOO_RETRIES", "0")
    with kaggle_hub() as kaggle:
        kaggle.publish(KAGGLE, module(tmp_path / "theirs"))
        kaggle.stall(KAGGLE)
        with pytest.raises(DownloadError, match=r"Kaggle .*: nothing came for 4 s"):
            get(kaggle=KAGGLE)
        assert kaggle.stalled.is_set()
    assert nothing_is_left()


def test_a_name_that_no_server_has_is_called_that(tmp_path):
    with pytest.raises(UnavailableError, match="the name can't be resolved"):
        download("http://no-such-host.invalid/x", tmp_path / "x")


def test_redirects_are_followed(published):
    published.redirect("/google/moved/1", f"{published.url}/google/imagenet/tiny/classification/5")
    assert (get(tfhub="https://tfhub.dev/google/moved/1") / "saved_model.pb").is_file()


def test_a_corrupt_archive_is_an_answer_among_the_sources(published):
    published.corrupt(HANDLE)
    with pytest.raises(DownloadError, match=r"classification/5: the archive is .*damaged"):
        get(tfhub=HANDLE)
    assert nothing_is_left()


def test_a_pointer_that_was_published_in_place_of_a_file_is_refused(hub, tmp_path):
    folder = module(tmp_path / "pointers")
    (folder / "saved_model.pb").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 1\n")
    hub.publish(HANDLE, folder)
    with pytest.raises(WeightsError, match=r"saved_model.pb' is a git-LFS pointer"):
        get(tfhub=HANDLE)
    assert nothing_is_left()


def test_an_archive_without_a_file_is_refused(hub, tmp_path):
    (tmp_path / "empty" / "variables").mkdir(parents=True)
    hub.publish(HANDLE, tmp_path / "empty")
    with pytest.raises(WeightsError, match="delivered no file"):
        get(tfhub=HANDLE)
    assert nothing_is_left()


# ---- no room


def fetching_with_little_room(**places: str) -> subprocess.CompletedProcess[str]:
    """A process whose files the kernel limits to 300,000 bytes, as a full disk would; it needs no privilege."""
    limited = f"""
import resource
from zoo.errors import WeightsError
from zoo.specs import WeightsSpec
from zoo.weights import fetch
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
try:
    fetch(WeightsSpec(**{places!r}), wanted_by="backbone 'tiny'")
except WeightsError as error:
    print(error)
"""
    return subprocess.run([sys.executable, "-c", limited], capture_output=True, text=True, check=True)


def test_a_full_disk_says_how_many_bytes_were_needed_and_where(hub):
    hub.serve("/nets/big.h5", bytes(1_000_000))
    url = f"{hub.url}/nets/big.h5"
    said = fetching_with_little_room(url=url).stdout
    assert said.startswith(f"backbone 'tiny': 1,000,000 bytes or more have no room in '{cache_folder()}")
    assert "move the cache with ZOO_CACHE" in said
    assert nothing_is_left()
    assert get(url=url).stat().st_size == 1_000_000


def test_a_full_disk_under_kagglehub_says_the_same_and_nothing_else(hub, tmp_path):
    folder = module(tmp_path / "theirs")
    (folder / "saved_model.pb").write_bytes(bytes(1_000_000))
    with kaggle_hub() as kaggle:
        kaggle.publish(KAGGLE, folder)
        done = fetching_with_little_room(kaggle=KAGGLE)
    assert re.fullmatch(r"backbone 'tiny': [\d,]+ bytes or more have no room in .*\(File too large\).*\n", done.stdout)
    assert done.stderr == ""
    assert nothing_is_left()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_what_the_kernel_says_of_a_full_device_is_understood(tmp_path):
    with (
        pytest.raises(WeightsError, match=r"7 bytes or more have no room in '.*No space left on device"),
        room_for(lambda: 7, tmp_path),
        open("/dev/full", "wb", buffering=0) as full,
    ):
        full.write(b"content")


def test_other_failures_of_the_disk_are_not_taken_for_a_full_one(tmp_path):
    with pytest.raises(OSError) as caught, room_for(lambda: 7, tmp_path):
        (tmp_path / "none" / "file").write_bytes(b"")
    assert caught.value.errno == errno.ENOENT


def test_a_cache_that_cannot_be_written_is_named(published, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "file"))
    with pytest.raises(
        WeightsError, match=r"backbone 'tiny': the cache '.*file' can't be written: .*ZOO_CACHE moves it"
    ):
        get(tfhub=HANDLE)


# ---- on the screen


@pytest.mark.parametrize(("surroundings", "drawn"), [({}, True), ({"CI": "1"}, False)])
def test_a_long_download_draws_a_bar_where_a_person_looks(hub, monkeypatch, surroundings, drawn):
    monkeypatch.delenv("CI", raising=False)
    for name, value in surroundings.items():
        monkeypatch.setenv(name, value)
    hub.serve("/nets/slow.h5", bytes(1_000_000))
    hub.stall("/nets/slow.h5")
    ours, theirs = os.openpty()
    process = fetching(stderr=theirs, url=f"{hub.url}/nets/slow.h5")
    os.close(theirs)
    assert hub.stalled.wait(30)
    time.sleep(1.1)
    hub.behave("/nets/slow.h5")
    assert process.communicate(timeout=30)[0].endswith("slow.h5\n")
    assert (b"fetching" in read_all(ours)) is drawn


def read_all(terminal: int) -> bytes:
    said = b""
    with open(terminal, "rb", buffering=0) as stream, contextlib.suppress(OSError):  # a closed terminal is an error
        while part := stream.read(4096):
            said += part
    return said


def test_a_download_into_a_pipe_draws_no_bar(published):
    assert fetching(tfhub=HANDLE).communicate()[1] == ""


def test_nothing_heavy_is_imported_before_it_is_needed():
    heavy = {"requests", "filelock", "kagglehub", "rich", "numpy", "tensorflow"}
    code = f"import sys, zoo.weights; print({heavy} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"
