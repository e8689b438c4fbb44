"""Progress is shown to a person at a terminal, and to nobody else."""

import os
import pty
import subprocess
import sys

SLOW = """
import time
from zoo.progress import busy, track
with busy("being busy"):
    time.sleep(1.4)
for _ in track(range(8), 8, "counting"):
    time.sleep(0.25)
print("done")
"""


def run(*, terminal: bool, **environment: str) -> str:
    """What `SLOW` writes to stderr, with a terminal there or a pipe."""
    ours, theirs = pty.openpty() if terminal else os.pipe()
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "80", **environment}
    if "CI" not in environment:
        env.pop("CI", None)
    done = subprocess.run([sys.executable, "-c", SLOW], stdout=subprocess.PIPE, stderr=theirs, env=env, check=True)
    os.close(theirs)
    written = b""
    while True:
        try:
            chunk = os.read(ours, 65536)
        except OSError:  # how a terminal whose other end is closed says that nothing more comes
            break
        if not chunk:
            break
        written += chunk
    os.close(ours)
    assert done.stdout == b"done\n"
    return written.decode()


def test_a_terminal_shows_what_takes_more_than_a_second():
    shown = run(terminal=True)
    assert "being busy" in shown
    assert "counting" in shown


def test_a_pipe_gets_nothing():
    assert run(terminal=False) == ""


def test_ci_gets_nothing():
    assert run(terminal=True, CI="true") == ""
