"""A hub on this machine: an http server that plays tfhub.dev, single files and Kaggle, and misbehaves when asked to.

    hub.publish("https://tfhub.dev/google/x/1", folder)     served as `/google/x/1?tf-hub-format=compressed`
    hub.serve("/files/net.h5", b"...")                      any bytes under any path
    hub.refuse(path, 404); hub.redirect(path, to); hub.cut(path); hub.stall(path); hub.corrupt(path)

A path is a handle's, "/google/x/1", or the handle itself. `hub.requests` lists what was asked, such as
"GET /google/x/1?tf-hub-format=compressed"; `hub.served` counts the bytes that each path sent. It knows parts (Range and
If-Range with an ETag) as tfhub.dev's storage does, unless `hub.parts` is false.
"""

import base64
import contextlib
import hashlib
import io
import json
import math
import re
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from filelock import FileLock

STORED = "/+stored"  # between a Kaggle handle and a file's name, or nothing for all of them in one archive
KAGGLE_PORT = 7777  # where kagglehub goes under KAGGLE_API_ENVIRONMENT=TEST; it can't be told another


class Hub:
    """The server; a context manager. Every answer can be changed while it runs."""

    def __init__(self, port: int = 0) -> None:
        self.requests: list[str] = []
        self.served: Counter[str] = Counter()
        self.parts = True
        self.rate = 0.0  # bytes a second, or 0 for as fast as it goes
        self.stalled = threading.Event()  # set when a request has begun to stall
        self._content: dict[str, bytes] = {}
        self._folders: dict[str, dict[str, bytes]] = {}
        self._faults: dict[str, list] = {}
        self._stalling: set[str] = set()
        self._closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _Handler)
        self._server.daemon_threads = True
        self._server.hub = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "Hub":
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def publish(self, handle: str, folder: Path) -> None:
        """Serve `folder` as the module of a tfhub.dev address, or of a Kaggle handle by Kaggle's protocol."""
        self._content[_path(handle)] = packed(folder)
        self._folders[_path(handle)] = {
            file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()
        }

    def serve(self, path: str, content: bytes) -> None:
        """Serve `content` as it is."""
        self._content[_path(path)] = content

    def refuse(self, path: str, status: int, *, times: float = math.inf, after: object = None) -> None:
        """Answer `status` so many times, with `Retry-After: AFTER` where that is given."""
        self._faults[_path(path)] = ["refuse", (status, after), times]

    def redirect(self, path: str, to: str) -> None:
        self._faults[_path(path)] = ["redirect", to, math.inf]

    def cut(self, path: str, *, times: float = math.inf) -> None:
        """Announce the whole content, or part, send half of it and hang up."""
        self._faults[_path(path)] = ["cut", None, times]

    def stall(self, path: str, *, times: float = math.inf) -> None:
        """Announce the whole content, send half of it and then nothing until `behave`, without hanging up."""
        self._faults[_path(path)] = ["stall", None, times]

    def fault(self, path: str) -> tuple[str, object]:
        """What is wrong with the next answer, which has it now."""
        found = self._faults.get(path)
        if not found:
            return "", None
        found[2] -= 1
        if found[2] < 1:
            del self._faults[path]
        if found[0] == "stall":
            self._stalling.add(path)
        return found[0], found[1]

    def corrupt(self, path: str) -> None:
        """Flip bytes in the middle of what is served."""
        content = bytearray(self._content[_path(path)])
        for place in range(len(content) // 2, len(content) // 2 + 16):
            content[place] ^= 0xFF
        self._content[_path(path)] = bytes(content)

    def behave(self, path: str) -> None:
        """End the fault of `path`; what it stalled goes on."""
        self._faults.pop(_path(path), None)
        self._stalling.discard(_path(path))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        # What nobody reads is not sent: `served` then counts what was fetched, and not what the kernel could hold.
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
        super().setup()

    def do_GET(self) -> None:
        hub: Hub = self.server.hub
        hub.requests.append(f"GET {self.path}")
        path, _, file = _path(self.path).partition(STORED)
        content = hub._folders.get(path, {}).get(file.strip("/")) if file else hub._content.get(path)
        fault, value = hub.fault(path)
        if fault == "redirect":
            self._answer(302, b"", Location=value)
        elif fault == "refuse":
            status, after = value
            self._answer(status, b"refused", **({"Retry-After": after} if after is not None else {}))
        elif content is None:
            self._answer(404, b"refused")
        else:
            self._deliver(hub, content, path, fault, stored=STORED in self.path)

    def do_POST(self) -> None:
        hub: Hub = self.server.hub
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        method = self.path.rpartition("/")[2]
        hub.requests.append(f"POST {method} {question.get('path', '')}".strip())
        framework = question["framework"].removeprefix("MODEL_FRAMEWORK_").replace("_", "").lower()
        parts = (question["ownerSlug"], question["modelSlug"], framework, question["instanceSlug"])
        asked = f"/{'/'.join(parts)}/{question['versionNumber']}".lower()
        handle = next((path for path in hub._folders if path.lower() == asked), "")
        folder = hub._folders.get(handle)
        if folder is None:
            self._answer(404, json.dumps({"code": 404, "message": "Not found"}).encode(), json=True)
        elif method == "ListModelInstanceVersionFiles":
            more = "more" if len(folder) > 25 else ""  # then kagglehub asks for one archive
            listing = {"files": [{"name": name} for name in list(folder)[:25]], "nextPageToken": more}
            self._answer(200, json.dumps(listing).encode(), json=True)
        else:  # as Kaggle does, whose files lie in Google's storage
            self._answer(302, b"", Location=f"{hub.url}{handle}{STORED}/{question.get('path', '')}")

    def _deliver(self, hub: Hub, content: bytes, handle: str, fault: str, stored: bool) -> None:
        tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        start = self._start(hub, content, tag)
        if start >= len(content) > 0:
            self._answer(416, b"", **{"Content-Range": f"bytes */{len(content)}"})
            return
        about = {"ETag": tag, "Accept-Ranges": "bytes"} if hub.parts else {}
        if stored:
            about["x-goog-hash"] = "md5=" + base64.b64encode(hashlib.md5(content).digest()).decode()
        if start:
            about["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._head(206 if start else 200, len(content) - start, **about)
        end = start + (len(content) - start) // 2 if fault else len(content)
        self._send(hub, content[start:end], handle)
        if not fault:
            return
        self.close_connection = True
        if fault == "stall":
            hub.stalled.set()
            while handle in hub._stalling:
                if hub._closing.wait(0.02):
                    return
            self._send(hub, content[end:], handle)

    def _start(self, hub: Hub, content: bytes, tag: str) -> int:
        """From which byte the client wants it; 0 where what it has is of something else."""
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if not hub.parts or not asked or self.headers.get("If-Range", tag) != tag:
            return 0
        return int(asked[1])

    def _send(self, hub: Hub, content: bytes, handle: str) -> None:
        piece = 16384 if hub.rate else len(content) or 1
        for place in range(0, len(content), piece):
            part = content[place : place + piece]
            self.wfile.write(part)
            self.wfile.flush()
            hub.served[handle] += len(part)
            if hub.rate and hub._closing.wait(len(part) / hub.rate):
                return

    def _answer(self, status: int, body: bytes, *, json: bool = False, **headers: str) -> None:
        if json:
            headers["Content-Type"] = "application/json"
        self._head(status, len(body), **headers)
        self.wfile.write(body)

    def _head(self, status: int, length: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/octet-stream", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):  # a killed client hangs up in mid-answer
            super().handle()

    def log_message(self, *arguments: object) -> None:
        pass


def packed(folder: Path) -> bytes:
    """`folder` as tfhub.dev packs a module: a gzipped tar of what lies in it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as tar:
        tar.add(folder, arcname=".")
    return buffer.getvalue()


@contextlib.contextmanager
def kaggle_hub() -> Iterator[Hub]:
    """A hub that kagglehub finds under KAGGLE_API_ENVIRONMENT=TEST; parallel test runs wait for one another."""
    with FileLock(Path(tempfile.gettempdir()) / "zoo-tests-kaggle.lock", timeout=120), Hub(KAGGLE_PORT) as hub:
        yield hub


def _path(address: str) -> str:
    """The path of a handle, an address or a request, without its query."""
    return "/" + urlsplit(address).path.strip("/")


def module(folder: Path, text: str = "published") -> Path:
    """A folder with the shape of a SavedModel; whether TensorFlow could read it is no matter here."""
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_text(text)
    (folder / "variables" / "variables.index").write_bytes(bytes(range(256)) * 16)
    return folder


def fetching(stderr: int = subprocess.PIPE, **places: str) -> subprocess.Popen[str]:
    """A process of its own that fetches the weights of those places and prints their path."""
    script = f"""
from zoo.specs import WeightsSpec
from zoo.weights import fetch
print(fetch(WeightsSpec(**{places!r}), wanted_by="another process"))
"""
    return subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=stderr, text=True)
