"""A download that broke off goes on where it was, and a server that is busy is asked again; never for ever."""

import hashlib
import json
import random
import time
from pathlib import Path

import pytest
from hub import fetching, kaggle_hub, module

from zoo.cache import Entry, cache_folder
from zoo.errors import DownloadError, OptionError, WeightsError
from zoo.specs import WeightsSpec
from zoo.weights import fetch

HANDLE = "https://tfhub.dev/google/imagenet/large/classification/5"
KAGGLE = "google/tiny/tensorFlow2/classification/2"
KAGGLE_PATH = f"/{KAGGLE}"
PLACE = "/nets/big.h5"
BIG = random.Random(1).randbytes(1 << 21)  # halves of it are whole chunks of what a download writes at a time
HALF = 1 << 20


@pytest.fixture
def serving(hub, monkeypatch):
    """A hub with a single big file."""
    hub.serve(PLACE, BIG)
    return hub


def get(hub, **facts: str) -> Path:
    return fetch(WeightsSpec(url=f"{hub.url}{PLACE}", **facts), wanted_by="backbone 'big'")


def parts() -> list[Path]:
    folder = cache_folder() / "parts"
    return [file for file in folder.rglob("*") if file.is_file()] if folder.exists() else []


def broken_off(hub, monkeypatch) -> None:
    """Leave half of the file, as a process does that gives up."""
    monkeypatch.setenv("ZOO_RETRIES", "0")
    hub.cut(PLACE, times=1)
    with pytest.raises(DownloadError, match="the connection broke after "):
        get(hub)
    assert max(file.stat().st_size for file in parts()) == HALF


# ---- going on


def test_a_cut_download_goes_on_where_it_was(serving):
    serving.cut(PLACE, times=3)
    assert get(serving).read_bytes() == BIG
    assert serving.served[PLACE] == len(BIG)
    assert len(serving.requests) == 4
    assert parts() == []


def test_what_one_process_left_another_goes_on_with(serving, monkeypatch):
    broken_off(serving, monkeypatch)
    assert get(serving).read_bytes() == BIG
    assert serving.served[PLACE] == len(BIG)


def test_a_killed_process_leaves_its_part(serving):
    serving.stall(PLACE)
    doomed = fetching(url=f"{serving.url}{PLACE}")
    assert serving.stalled.wait(30)
    deadline = time.monotonic() + 20
    while not any(file.stat().st_size > HALF // 2 for file in parts()) and time.monotonic() < deadline:
        time.sleep(0.02)
    doomed.kill()
    doomed.communicate()
    serving.behave(PLACE)
    assert get(serving).read_bytes() == BIG
    assert serving.served[PLACE] < len(BIG) + 2 * 65536 + HALF  # half of it lay in the killed one's socket at most


def test_what_has_changed_meanwhile_is_fetched_whole(serving, monkeypatch):
    broken_off(serving, monkeypatch)
    other = bytes(reversed(BIG))
    serving.serve(PLACE, other)
    assert get(serving).read_bytes() == other
    assert serving.served[PLACE] == HALF + len(BIG)


def test_a_server_that_knows_no_parts_sends_the_whole(serving, monkeypatch):
    serving.parts = False
    broken_off(serving, monkeypatch)
    assert get(serving).read_bytes() == BIG
    assert serving.served[PLACE] == HALF + len(BIG)


def test_a_part_that_was_spoilt_on_the_disk_costs_a_second_download_and_no_more(serving, monkeypatch):
    broken_off(serving, monkeypatch)
    (part,) = (file for file in parts() if file.suffix != ".json")
    part.write_bytes(bytes(HALF))
    assert get(serving, sha256=hashlib.sha256(BIG).hexdigest()).read_bytes() == BIG
    assert serving.served[PLACE] == HALF + HALF + len(BIG)


def test_a_whole_archive_that_was_not_unpacked_yet_is_not_fetched_again(hub, tmp_path, monkeypatch):
    folder = module(tmp_path / "large")
    (folder / "variables" / "variables.data-00000-of-00001").write_bytes(BIG)
    hub.publish(HANDLE, folder)
    monkeypatch.setattr("zoo.sources.unpack", lambda archive, folder: (_ for _ in ()).throw(WeightsError("no room")))
    with pytest.raises(WeightsError, match="no room"):
        fetch(WeightsSpec(tfhub=HANDLE), wanted_by="it")
    before = hub.served.total()
    monkeypatch.undo()
    monkeypatch.setenv("ZOO_TFHUB_URL", hub.url)
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    assert (fetch(WeightsSpec(tfhub=HANDLE), wanted_by="it") / "saved_model.pb").is_file()
    assert hub.served.total() == before + 1  # the last byte tells whether it is still the same


# ---- patience


@pytest.mark.parametrize("status", [403, 429, 500, 503])
def test_a_busy_server_is_asked_again(serving, status):
    serving.refuse(PLACE, status, times=2)
    assert get(serving).read_bytes() == BIG
    assert len(serving.requests) == 3


@pytest.mark.parametrize(("status", "asked"), [(404, 1), (401, 1), (503, 3)])
def test_what_will_not_change_is_asked_once_and_what_may_a_few_times(serving, monkeypatch, status, asked):
    monkeypatch.setenv("ZOO_RETRIES", "2")
    serving.refuse(PLACE, status)
    with pytest.raises(DownloadError, match=f"{status} .*" + (r"\(asked 3 times\)" if asked > 1 else "")):
        get(serving)
    assert len(serving.requests) == asked


def test_the_pause_is_as_long_as_the_server_asks(serving, capsys):
    serving.refuse(PLACE, 429, times=1, after=1)
    start = time.monotonic()
    get(serving)
    assert time.monotonic() - start >= 1
    serving.refuse("/other", 503, times=1, after="Wed, 21 Oct 2015 07:28:00 GMT")  # long past
    serving.serve("/other", b"x")
    fetch(WeightsSpec(url=f"{serving.url}/other"), wanted_by="it")


def test_a_server_that_asks_to_wait_for_an_hour_is_given_up(serving):
    serving.refuse(PLACE, 429, after=3600)
    with pytest.raises(DownloadError, match=r"429 Too Many Requests \(it asks to wait 3,600 s\)"):
        get(serving)
    assert len(serving.requests) == 1


def test_each_further_pause_is_longer_and_never_the_same_for_all(serving, monkeypatch):
    pauses: list[float] = []
    monkeypatch.setattr("zoo.patience.time.sleep", pauses.append)
    monkeypatch.setenv("ZOO_RETRY_PAUSE", "1")
    monkeypatch.setenv("ZOO_RETRIES", "4")
    serving.refuse(PLACE, 503)
    with pytest.raises(DownloadError, match="asked 5 times"):
        get(serving)
    assert all(2**turn / 2 <= pause <= 2**turn for turn, pause in enumerate(pauses))
    assert len(set(pauses)) == 4


def test_a_silent_server_is_given_up_after_the_time_that_the_user_sets(serving, monkeypatch):
    monkeypatch.setenv("ZOO_READ_TIMEOUT", "0.2")
    serving.stall(PLACE, times=1)
    assert get(serving).read_bytes() == BIG
    assert len(serving.requests) == 2


def test_kaggle_is_asked_again_when_it_is_busy(hub, tmp_path):
    with kaggle_hub() as kaggle:
        kaggle.publish(KAGGLE, module(tmp_path / "theirs"))
        kaggle.refuse(KAGGLE, 429, times=1)
        assert (fetch(WeightsSpec(kaggle=KAGGLE), wanted_by="it") / "saved_model.pb").is_file()


# ---- Kaggle


# kagglesdk reads every answer into memory to print it where it is told to TEST, and nowhere else.
AS_ALWAYS = "from kagglesdk.kaggle_http_client import KaggleHttpClient as c; c._print_response = lambda *told: None"


@pytest.fixture(params=[1, 30], ids=["files", "archive"])
def kaggle(request, hub, tmp_path, monkeypatch):
    """A Kaggle with a model of one large file, and of so many others; more than 25 come in one archive."""
    (tmp_path / "sitecustomize.py").write_text(AS_ALWAYS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    folder = module(tmp_path / "theirs")
    for number in range(request.param):
        (folder / f"asset{number}").write_text("small")
    (folder / "large").write_bytes(BIG)
    with kaggle_hub() as server:
        server.publish(KAGGLE, folder)
        server.rate = 1 << 23
        yield server


def from_kaggle() -> bytes:
    return (fetch(WeightsSpec(kaggle=KAGGLE), wanted_by="it") / "large").read_bytes()


UNREAD = 1 << 19  # kagglehub asks for the whole before it asks for the rest, and leaves it unread


def test_what_a_killed_process_had_of_kaggle_another_goes_on_with(kaggle):
    kaggle.stall(KAGGLE)
    doomed = fetching(kaggle=KAGGLE)
    deadline = time.monotonic() + 30
    while not any(file.stat().st_size > HALF - 2 * 65536 for file in parts()) and time.monotonic() < deadline:
        time.sleep(0.02)
    doomed.kill()
    doomed.communicate()
    kaggle.behave(KAGGLE)
    assert from_kaggle() == BIG
    assert kaggle.served[KAGGLE_PATH] < len(BIG) + UNREAD
    assert parts() == []


def test_a_part_of_kaggle_s_that_was_spoilt_is_fetched_whole(kaggle, monkeypatch):
    kaggle.cut(KAGGLE)
    monkeypatch.setenv("ZOO_RETRIES", "0")
    with pytest.raises(DownloadError, match=r"Kaggle .*: the connection broke after"):
        from_kaggle()
    monkeypatch.delenv("ZOO_RETRIES")
    kaggle.behave(KAGGLE)
    part = max(parts(), key=lambda file: file.stat().st_size)
    part.write_bytes(bytes(part.stat().st_size))
    assert from_kaggle() == BIG


def test_a_link_in_an_archive_of_kaggle_s_is_refused(hub, tmp_path):
    folder = module(tmp_path / "theirs")
    for number in range(30):
        (folder / f"asset{number}").write_text("small")
    (folder / "link").symlink_to("saved_model.pb")
    with kaggle_hub() as server:
        server.publish(KAGGLE, folder)
        with pytest.raises(DownloadError, match=r"'link' is a link to 'saved_model\.pb'"):
            fetch(WeightsSpec(kaggle=KAGGLE), wanted_by="it")
    assert parts() == []


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ZOO_READ_TIMEOUT", "soon", "ZOO_READ_TIMEOUT='soon' is no number"),
        ("ZOO_CONNECT_TIMEOUT", "0", "ZOO_CONNECT_TIMEOUT='0' makes no sense"),
        ("ZOO_RETRIES", "nan", "ZOO_RETRIES='nan' makes no sense"),
    ],
)
def test_a_setting_that_is_no_number_is_named(serving, monkeypatch, name, value, said):
    monkeypatch.setenv(name, value)
    with pytest.raises(OptionError, match=said):
        get(serving)


# ---- a disk that is too small


def test_a_disk_that_is_too_small_is_told_before_a_byte_is_written(serving, monkeypatch):
    from collections import namedtuple

    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("zoo.download.shutil.disk_usage", lambda path: usage(10**7, 10**7 - 10**6, 10**6))
    with pytest.raises(WeightsError, match=r"2,097,152 bytes or more have no room in .*, where 1,000,000 are free"):
        get(serving)
    assert [file for file in parts() if file.suffix != ".json"] == []
    assert not Entry(f"{serving.url}{PLACE}").folder.exists()


def test_the_note_beside_a_part_holds_no_password(serving, monkeypatch):
    monkeypatch.setenv("ZOO_RETRIES", "0")
    serving.cut(PLACE)
    with pytest.raises(DownloadError):
        fetch(WeightsSpec(url=serving.url.replace("//", "//user:secret@") + PLACE), wanted_by="it")
    notes = [json.loads(file.read_text()) for file in parts() if file.suffix == ".json"]
    assert [note["url"] for note in notes] == [f"{serving.url}{PLACE}"]
