"""What all tests share: a clean environment, and the real models and data where they are at hand."""

import os
import tempfile
from pathlib import Path

import pytest
from hub import Hub

ROOT = Path(__file__).parents[1]
ASSETS = Path(os.environ.get("ZOO_ASSETS") or ROOT.parent / "shared" / "assets").absolute()

# Set before the first discovery, and inherited by every child process: no user's own catalogues, cache or mirror.
_PRIVATE = tempfile.TemporaryDirectory(prefix="zoo-tests-")
os.environ.update(
    XDG_CONFIG_HOME=f"{_PRIVATE.name}/config",
    ZOO_CACHE=f"{_PRIVATE.name}/cache",
    KAGGLEHUB_CACHE=f"{_PRIVATE.name}/kagglehub",
    KERAS_HOME=f"{_PRIVATE.name}/keras",
    ZOO_RETRY_PAUSE="0.01",
    ZOO_ASSETS=str(ASSETS),
    ZOO_CATALOG=str(ROOT / "tests" / "assets.toml"),
    TF_CPP_MIN_LOG_LEVEL="3",
    CUDA_VISIBLE_DEVICES=os.environ.get("CUDA_VISIBLE_DEVICES", ""),
)
for variable in ("ZOO_MIRROR", "ZOO_OFFLINE", "ZOO_LOCK", "TFHUB_CACHE_DIR", "KERAS_BACKEND"):
    os.environ.pop(variable, None)


def pytest_collection_modifyitems(items):
    """Tests marked `assets` are skipped with a reason where the assets are not there, but never in CI."""
    if ASSETS.is_dir() or os.environ.get("CI"):
        return
    absent = pytest.mark.skip(reason=f"no real models and data in {str(ASSETS)!r}: set ZOO_ASSETS to their folder")
    for item in items:
        if item.get_closest_marker("assets"):
            item.add_marker(absent)


@pytest.fixture(scope="session")
def assets() -> Path:
    """The folder of real models and data."""
    if not ASSETS.is_dir():
        pytest.fail(f"no real models and data in {str(ASSETS)!r}: set ZOO_ASSETS to their folder")
    return ASSETS


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """An empty cache for each test that uses it: `tmp_path / "cache"`."""
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A local server in place of tfhub.dev (tests/hub.py), an empty cache, and no way to the real network's Kaggle."""
    with Hub() as server:
        monkeypatch.setenv("ZOO_TFHUB_URL", server.url)
        monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "TEST")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
        yield server
