"""What users install: the built wheel in a clean environment in another folder, then an outsider's plugin beside it.

An editable installation finds data files and entry points that a wheel may lack.
"""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "zoo-palette"
ROOMS = ("", "plugins", "benchmarks")  # where pyproject.toml finds packages
NOWHERE = "http://127.0.0.1:9"  # nothing listens on the discard port: whoever needs the network fails at once


def tracked(*under: str) -> list[str]:
    """Files that git knows and that are there, by their path from the root; skips where this is no git checkout."""
    if not (ROOT / ".git").exists():
        pytest.skip("what git tracks is built, and this is no git checkout")
    listed = subprocess.run(["git", "ls-files", "-z", "--", *under], cwd=ROOT, capture_output=True, check=True)
    return [name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def copy(names: list[str], to: Path) -> Path:
    """Copies of those files, so that a build leaves nothing behind in the project."""
    for name in names:
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, to / name)
    return to


@dataclass(frozen=True)
class Environment:
    """A virtual environment, and a folder that has nothing to do with the project, in which its programs run."""

    folder: Path
    work: Path

    @property
    def python(self) -> str:
        return str(self.folder / "bin" / "python")

    @property
    def packages(self) -> Path:
        return next(self.folder.glob("lib/python*/site-packages"))

    def run(self, *command: str, code: int = 0) -> str:
        """What a command prints on stdout. It sees no settings of the tests, no user's catalogues and no network."""
        hidden = ("ZOO_", "PIP_", "PYTHON", "VIRTUAL_ENV", "XDG_CONFIG")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
        environment |= {
            "XDG_CONFIG_HOME": str(self.work / "config"),
            "ZOO_CACHE": str(self.work / "cache"),
            "http_proxy": NOWHERE,
            "https_proxy": NOWHERE,
        }
        done = subprocess.run(command, cwd=self.work, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == code, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def zoo(self, *arguments: str, code: int = 0) -> str:
        """What the installed program `zoo` prints."""
        return self.run(str(self.folder / "bin" / "zoo"), *arguments, code=code)

    def pip(self, *arguments: str) -> str:
        """Run the tests' own pip on this environment."""
        return self.run(sys.executable, "-m", "pip", "--python", self.python, "--disable-pip-version-check", *arguments)

    def bench(self, *arguments: str) -> list[dict]:
        """The rows of a short `zoo bench`."""
        return json.loads(self.zoo("bench", "--seconds", "0.05", "--batch-size", "4", "--json", *arguments))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built from what git tracks, with no network."""
    source = copy(tracked(), tmp_path_factory.mktemp("source"))
    built = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(built), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def clean(wheel, tmp_path_factory) -> Environment:
    """A new environment that holds the wheel, and sees the packages of this one as its dependencies.

    A path in a .pth file makes a folder importable and leaves that folder's own .pth files alone: the editable
    installation of the project is not among the dependencies.
    """
    environment = Environment(tmp_path_factory.mktemp("clean") / "venv", tmp_path_factory.mktemp("elsewhere"))
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment.folder], check=True)
    environment.pip("install", "--quiet", "--no-index", "--no-deps", str(wheel))
    here = dict.fromkeys(sysconfig.get_path(kind) for kind in ("purelib", "platlib"))
    (environment.packages / "dependencies.pth").write_text("\n".join(here) + "\n")
    return environment


def test_the_wheel_holds_what_git_tracks_of_the_packages_and_nothing_else(wheel):
    packages = [f"{room}/{name}".lstrip("/") for room in ROOMS for name in ("zoo", "zoo_*")]
    expected = {name.removeprefix("plugins/").removeprefix("benchmarks/") for name in tracked(*packages)}
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert held == expected


def test_data_that_the_packages_need_is_in_the_wheel(wheel):
    held = zipfile.ZipFile(wheel).namelist()
    for ending in ("zoo/py.typed", "zoo_tfhub/catalog.json", "label_names/imagenet.txt", "saved_model.pb", ".index"):
        assert [name for name in held if name.endswith(ending)], ending


def test_code_and_entry_points_come_from_the_wheel_alone(clean):
    ask = "import importlib.metadata as m, zoo, zoo_bench; print(zoo.__file__, zoo_bench.__file__)"
    ask += "; print(m.distribution('tf-model-zoo').locate_file(''))"
    where = [Path(path) for path in clean.run(clean.python, "-c", ask).split()]
    assert [path.is_relative_to(clean.packages) for path in where] == [True, True, True]


def test_every_plugin_in_the_tree_has_its_entry_point_and_loads(clean):
    in_tree = {path.parent.name for path in ROOT.glob("plugins/*/__init__.py")} | {"zoo_bench"}
    plugins = {plugin["plugin"]: plugin["error"] for plugin in json.loads(clean.zoo("plugins", "--json"))}
    assert in_tree <= set(plugins)
    assert {plugin: error for plugin, error in plugins.items() if error} == {}


def test_its_catalogues_are_listed(clean):
    listed = clean.zoo("list")
    assert "tiny_" in listed
    assert "inception_v3" in listed


def test_python_m_zoo_is_the_same_as_zoo(clean):
    for arguments, code in [(("--help",), 0), (("list", "tiny_*"), 0), (("show", "nothing_of_the_kind"), 1)]:
        assert clean.zoo(*arguments, code=code) == clean.run(clean.python, "-m", "zoo", *arguments, code=code)


def test_it_measures_the_embedded_networks(clean):
    rows = clean.bench("--backbone", "tiny_*", "--limit", "20")
    assert [row["error"] for row in rows if row["error"] is not None] == []
    assert {row["task"] for row in rows if row["metrics"]} == {"classification", "detection", "embedding"}
    assert all(row["throughput"]["value"] > 0 and row["digests"] for row in rows)


def test_an_outsiders_plugin_needs_nothing_but_pip(clean, tmp_path):
    before = clean.zoo("list"), clean.zoo("list", "--tasks")
    source = copy(tracked(str(EXAMPLE.relative_to(ROOT))), tmp_path) / EXAMPLE.relative_to(ROOT)
    clean.pip("install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation", str(source))

    assert "colour_histogram.css_shades" in clean.zoo("list", "--task", "palette")
    answer = json.loads(clean.zoo("predict", "palette/colour_histogram", str(picture(clean.work)), "--json"))
    assert answer[0]["colours"][0]["colour"] == "red"
    rows = clean.bench("--backbone", "colour_histogram")
    assert {row["task"]: row["error"] for row in rows} == {"palette": None, "embedding": None}
    assert {row["task"]: set(row["metrics"]) for row in rows} == {"palette": {"overlap", "top1"}, "embedding": set()}
    clean.run(clean.python, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(source))

    clean.pip("uninstall", "--quiet", "--yes", "zoo-palette")
    assert (clean.zoo("list"), clean.zoo("list", "--tasks")) == before


def test_a_plain_installation_brings_none_of_the_extras(clean):
    """Neither the wheel nor anything that it needs asks for what only an extra is for."""
    wanted = [Requirement(line) for line in distribution_of(clean).requires]
    plain = [one for one in wanted if applies(one, "")]
    only_extra = {canonicalize_name(one.name) for one in wanted} - {canonicalize_name(one.name) for one in plain}
    assert only_extra >= {"tensorflow-text", "pytest", "ruff", "mypy", "build"}
    brought = closure(plain)
    assert "tensorflow" in brought
    assert {name for name in brought if name in only_extra or name.startswith("nvidia-")} == set()


def distribution_of(clean):
    """The metadata of the installed wheel."""
    from importlib.metadata import PathDistribution

    return PathDistribution(next(clean.packages.glob("tf_model_zoo-*.dist-info")))


def applies(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def closure(requirements: list[Requirement]) -> set[str]:
    """The names of all that is installed for `requirements`, as the packages that are here say it."""
    found: set[str] = set()
    pending = [(canonicalize_name(one.name), extra) for one in requirements for extra in ("", *one.extras)]
    seen = set(pending)
    while pending:
        name, extra = pending.pop()
        found.add(name)
        try:
            lines = distribution(name).requires or []
        except PackageNotFoundError:  # for another platform, or an extra that is not installed
            continue
        for one in (Requirement(line) for line in lines):
            if applies(one, extra):
                new = {(canonicalize_name(one.name), wanted) for wanted in ("", *one.extras)} - seen
                seen |= new
                pending += new
    return found


def picture(folder: Path) -> Path:
    """A red picture."""
    from PIL import Image

    path = folder / "red.png"
    Image.new("RGB", (40, 30), "red").save(path)
    return path
