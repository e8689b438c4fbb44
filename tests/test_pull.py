"""`zoo pull` brings weights whole, however often it is killed, and says what became of each."""

import json
import random
import signal
import subprocess
import sys
import time

import pytest
from hub import module

from zoo.cache import entries

NAMES = ("pulled.a", "pulled.b", "pulled.c")
HANDLES = {name: f"https://tfhub.dev/google/{name}/1" for name in NAMES}
SIZE = 1_500_000
ROW = """
[[backbone]]
name = "{name}"
input = {{ kind = "image", size = [32, 32] }}
[backbone.outputs.features]
width = 8
weights = {{ tfhub = "{handle}" }}
"""


@pytest.fixture
def catalogued(hub, tmp_path, monkeypatch):
    """Three modules that the hub has and a user's catalogue names."""
    for name, handle in HANDLES.items():
        folder = module(tmp_path / name)
        (folder / "variables" / "variables.data-00000-of-00001").write_bytes(random.Random(name).randbytes(SIZE))
        hub.publish(handle, folder)
    catalogue = tmp_path / "pulled.toml"
    catalogue.write_text("".join(ROW.format(name=name, handle=handle) for name, handle in HANDLES.items()))
    monkeypatch.setenv("ZOO_CATALOG", str(catalogue))
    monkeypatch.chdir(tmp_path)
    return hub


def zoo(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "zoo", *arguments], capture_output=True, text=True, check=False)


def pulling() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "zoo", "pull", "pulled.*"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def test_pull_fetches_what_a_glob_means_and_says_what_became_of_each(catalogued):
    catalogued.refuse(HANDLES["pulled.c"], 404)
    first = zoo("pull", "pulled.*")
    assert first.returncode == 1
    assert [line.split()[0] for line in first.stdout.splitlines()] == ["fetched", "fetched", "failed"]
    assert "404 Not Found" in first.stderr
    assert first.stderr.splitlines()[-1] == "2 fetched, 1 failed"
    catalogued.behave(HANDLES["pulled.c"])
    second = zoo("pull", "--json", *NAMES)
    assert second.returncode == 0
    assert [row["state"] for row in json.loads(second.stdout)] == ["at hand", "at hand", "fetched"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["pulled.d"], 1, "no backbone named 'pulled.d'; did you mean 'pulled."),
        (["other.*"], 1, "no backbone fits 'other.*'"),
        (["nobody/knows"], 2, "'nobody/knows' is no file or folder"),
        (["pulled.a", "--lock", "none/zoo.lock"], 2, "there is no folder 'none'"),
        ([], 2, "name backbones, handles or globs, or ask for --all"),
        (["pulled.a", "--all"], 2, "or ask for --all"),
    ],
)
def test_pull_says_which_name_means_nothing(catalogued, capsys, arguments, code, said):
    done = zoo("pull", *arguments)
    assert done.returncode == code
    assert said in done.stderr
    assert catalogued.requests == []


def test_twenty_kills_harm_nothing_and_cost_no_second_download(catalogued):
    chance = random.Random(20)
    sizes = {path: len(content) for path, content in catalogued._content.items()}
    catalogued.rate = sum(sizes.values()) / 6  # slow enough that all kills fall into the time that it takes
    running = [pulling(), pulling()]
    kills = 0
    while kills < 20:
        arriving(catalogued)
        time.sleep(chance.uniform(0, 0.3))
        for place in chance.choice([[0], [1], [0, 1]]):
            assert running[place].poll() is None
            running[place].send_signal(signal.SIGKILL)
            running[place].wait()
            running[place] = pulling()
            kills += 1
        assert {entry.address: entry.full_damage() for entry in entries() if entry.full_damage()} == {}
    catalogued.rate = 0
    for process in running:
        assert process.wait(60) == 0
    assert len(catalogued.requests) >= 3 + 3  # some kills hit the one that was downloading
    assert {entry.address for entry in entries()} == set(HANDLES.values())
    assert zoo("cache", "verify").returncode == 0
    # What a killed process had received and not written yet comes a second time: 64 KiB, and what lay in the socket.
    for path, size in sizes.items():
        assert catalogued.served[path] < 2 * size, path
    assert sum(catalogued.served.values()) < sum(sizes.values()) + kills * 100_000
    before = dict(catalogued.served)
    assert zoo("pull", "pulled.*").returncode == 0
    assert catalogued.served == before


def arriving(hub) -> None:
    """Wait until a process downloads."""
    before, deadline = hub.served.total(), time.monotonic() + 30
    while hub.served.total() == before:
        assert time.monotonic() < deadline
        time.sleep(0.01)
