"""Who may import whom, and who may not import TensorFlow."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# a <- b: a room may import rooms of its own layer's column or of layers above it, never below.
LAYERS = [
    {"agreement", "errors", "specs", "metrics", "labels", "progress", "framework", "where", "protobuf"},
    {
        "registry",
        "pairs",
        "hookspecs",
        "catalog",
        "archives",
        "cache",
        "disk",
        "download",
        "foreign",
        "kaggle",
        "patience",
        "pictures",
        "pins",
        "programs",
        "signatures",
        "safety",
    },
    {"plugins", "weights", "measured", "sources", "inventory", "bundle", "inputs", "formats", "sheet"},
    {"backbone", "task", "runtime", "dataset", "batches", "evaluation", "saved", "ranges"},
    {
        "model",
        "search",
        "conversion",
        "description",
        "graph",
        "inspection",
        "probing",
        "mixed_precision",
        "parts",
        "split",
    },
    {"compose", "export", "transfer", "tuning", "verification"},
    {"__init__"},
    {"cli", "testing", "safety_ops", "__main__"},
]
RANK = {room: rank for rank, rooms in enumerate(LAYERS) for room in rooms}
PLUGINS = sorted(path.name for path in (ROOT / "plugins").iterdir() if (path / "__init__.py").is_file())
FRAMEWORKS = (
    "numpy",
    "tensorflow",
    "keras",
    "torch",
    "jax",
    "openvino",
    "sklearn",
    "matplotlib",
    "tensorflow_datasets",
)


def imports(file: Path, *, everywhere: bool) -> set[str]:
    """Modules that `file` imports: everywhere, or only when it is itself imported."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    nodes = ast.walk(tree) if everywhere else _at_module_level(tree)
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"zoo.{alias.name}" for alias in node.names} if node.module == "zoo" else {node.module}
    return found


def _at_module_level(tree):
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _at_module_level(node)


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else "__init__"


def test_every_room_of_the_core_has_its_layer():
    rooms = {path.stem for path in (ROOT / "zoo").glob("*.py")}
    rooms |= {path.parent.name for path in (ROOT / "zoo").glob("*/__init__.py")}
    assert rooms - set(RANK) == set()


@pytest.mark.parametrize(
    "file", sorted((ROOT / "zoo").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT / "zoo"))
)
def test_imports_in_the_core_point_one_way(file):
    own = file.relative_to(ROOT / "zoo").with_suffix("").parts[0]
    if own == "__init__":
        return
    wrong = [
        module
        for module in imports(file, everywhere=False)
        if module.split(".")[0] == "zoo" and RANK.get(room(module), -1) > RANK[own]
    ]
    assert wrong == []


@pytest.mark.parametrize("plugin", PLUGINS)
def test_a_plugin_imports_the_zoo_and_no_other_plugin(plugin):
    for file in (ROOT / "plugins" / plugin).rglob("*.py"):
        others = {name.split(".")[0] for name in imports(file, everywhere=True)} & ({*PLUGINS, "zoo_bench"} - {plugin})
        assert others == set(), file


def test_the_harness_imports_no_plugin():
    for file in (ROOT / "benchmarks" / "zoo_bench").rglob("*.py"):
        assert {name.split(".")[0] for name in imports(file, everywhere=True)} & set(PLUGINS) == set(), file


def test_the_core_names_no_plugin_in_an_import():
    for file in (ROOT / "zoo").rglob("*.py"):
        assert {name.split(".")[0] for name in imports(file, everywhere=True)} & {*PLUGINS, "zoo_bench"} == set(), file


@pytest.mark.parametrize(
    "code",
    [
        "import zoo",
        "import zoo; zoo.list_backbones(); zoo.list_pairs(); zoo.list_tasks()",
        "from zoo.plugins import installed; list(installed().backbones)",
        "import zoo.cli; zoo.cli.main(['list'])",
        "import zoo.cli; zoo.cli.main(['show', 'inception_v3'])",
        "import zoo.cli; zoo.cli.main(['plugins'])",
        "import zoo.cli; zoo.cli.main(['cache', 'ls'])",
        "import zoo.cli; zoo.cli.main(['pull', 'tiny_cnn_s'])",
        "import zoo.cli; zoo.cli.main(['bench', '--help'])",
        "import zoo.cli; zoo.cli.main(['predict', '--help'])",
        "import zoo.cli; zoo.cli.main(['tune', '--help'])",
        "import zoo.cli; zoo.cli.main(['list', '--runtimes'])",
        "import zoo; zoo.spec('inception_v3')",
    ],
)
def test_nothing_that_lists_or_shows_imports_a_framework(code):
    check = f"""
import atexit, sys
@atexit.register
def _():
    print("HEAVY", sorted(set({FRAMEWORKS!r}) & set(sys.modules)))
{code}
"""
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "HEAVY []"


def test_tensorflow_and_keras_come_by_way_of_zoo_framework_which_keeps_them_quiet():
    own = {ROOT / "zoo" / "framework.py", ROOT / "zoo" / "safety_ops.py"}  # the second runs in a process of its own
    files = {*(ROOT / "zoo").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")} - own
    assert [file for file in files if {"tensorflow", "keras"} & imports(file, everywhere=True)] == []


def test_files_stay_readable():
    long = {
        str(file.relative_to(ROOT)): lines
        for folder in ("zoo", "plugins", "benchmarks", "tests")
        for file in (ROOT / folder).rglob("*.py")
        if (lines := len(file.read_text(encoding="utf-8").splitlines())) > 300
    }
    assert long == {}
