"""`zoo doctor`: what this machine has, and what about it will not work."""

from __future__ import annotations

import json
import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

import click

from zoo import foreign, pins
from zoo.catalog import user_catalogs
from zoo.cli import count_of, gpus, zoo
from zoo.errors import ZooError
from zoo.pairs import find_pair
from zoo.plugins import AUTO, installed
from zoo.progress import busy

PACKAGES = ("tensorflow", "keras", "tensorflow-hub", "tensorflow-datasets", "tensorflow-text", "numpy", "setuptools")
SHOWN_IF_THERE = ("keras-hub", "tf-keras")  # tensorflow-hub brings tf-keras: it is no fault
TWINS = ("tensorflow-cpu", "tf-nightly", "tensorflow-intel", "intel-tensorflow")  # each installs TensorFlow's files


@dataclass(frozen=True)
class Finding:
    """One line of the report. state "fault" makes the exit code 1."""

    state: Literal["ok", "note", "fault"]
    what: str
    detail: str


@zoo.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def doctor_command(as_json: bool) -> None:
    """Check versions, devices, plugins, catalogues and the cache; exit code 1 if something will not work."""
    asked = gpus.Question()  # which takes seconds: TensorFlow starts anew to say what it lacks
    findings = []
    for finding in _findings(asked):  # each is shown when it is known: all of them take ten seconds
        findings.append(finding)
        if not as_json:
            click.echo(f"{finding.state:<6} {finding.what:<22} {finding.detail}")
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=1))
    if any(finding.state == "fault" for finding in findings):
        raise SystemExit(1)


def _findings(asked: gpus.Question) -> Iterator[Finding]:
    for found in (_versions, _keras, _plugins, _cache, _sources, _devices):
        yield from found()
    with busy("asking TensorFlow for GPUs"):
        answer = asked.answer()
    yield from _gpus(answer)


def _versions() -> Iterator[Finding]:
    yield Finding("ok", "python", f"{platform.python_version()} on {platform.platform()}")
    for package in PACKAGES:
        try:
            found = version(package)
        except PackageNotFoundError:
            optional = package == "tensorflow-text"
            how = (
                "some text encoders need it: pip install 'tf-model-zoo[text]'" if optional else f"pip install {package}"
            )
            yield Finding("note" if optional else "fault", package, f"not installed; {how}")
            continue
        if package == "setuptools" and int(found.split(".")[0]) >= 82:
            yield Finding(
                "fault", package, f"{found}: tensorflow_hub 0.16.1 needs pkg_resources; pip install 'setuptools<82'"
            )
        else:
            yield Finding("ok", package, found)
    yield from _matching_text()
    yield from _fighting()


def _fighting() -> Iterator[Finding]:
    """Packages that are there and do not get along."""
    for package in (*SHOWN_IF_THERE, *TWINS):
        try:
            found = version(package)
        except PackageNotFoundError:
            continue
        if package in TWINS:
            how = f"pip uninstall {package} tensorflow, then pip install tensorflow"
            yield Finding("fault", package, f"{found}: it has the same files as tensorflow, and one spoils both; {how}")
        else:
            yield Finding("ok", package, found)
    try:
        keras, framework = version("keras"), version("tensorflow")
    except PackageNotFoundError:
        return
    if int(keras.split(".")[0]) < 3:
        detail = f"{keras} is Keras 2, which tensorflow {framework} does not work with; pip install 'keras>=3'"
        yield Finding("fault", "keras", detail)


def _gpus(found: gpus.Gpus) -> Iterator[Finding]:
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    libraries = [name for name in found.missing if name != gpus.DRIVER]
    if found.names:
        yield Finding("ok", "GPUs", ", ".join(found.names))
    elif found.error:
        yield Finding("fault", "GPUs", found.error)
    elif not found.driver:
        yield Finding("ok", "GPUs", f"none: this machine has no driver for NVIDIA's ({gpus.DRIVER})")
    elif hidden in ("", "-1"):
        yield Finding("note", "GPUs", f"hidden by CUDA_VISIBLE_DEVICES={hidden!r}; unset it to use them")
    elif not libraries:
        yield Finding("fault", "GPUs", "there is a driver, but TensorFlow sees no GPU; 'nvidia-smi' may say why")
    if libraries and found.driver:
        lacks = f"TensorFlow could not load {', '.join(libraries)}; pip install 'tf-model-zoo[cuda]'"
        yield Finding("fault", "GPU libraries", lacks)


def _matching_text() -> Iterator[Finding]:
    try:
        framework, text = version("tensorflow"), version("tensorflow-text")
    except PackageNotFoundError:
        return
    if framework.split(".")[:2] != text.split(".")[:2]:
        wanted = ".".join(framework.split(".")[:2])
        detail = f"{text} does not fit tensorflow {framework}; pip install 'tensorflow-text=={wanted}.*'"
        yield Finding("fault", "tensorflow-text", detail)


def _keras() -> Iterator[Finding]:
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    if backend != "tensorflow":
        yield Finding("fault", "KERAS_BACKEND", f"{backend!r}; Keras backbones run on TensorFlow: unset it")
    if os.environ.get("TF_USE_LEGACY_KERAS", "").lower() in ("1", "true"):
        yield Finding("fault", "TF_USE_LEGACY_KERAS", "set; the zoo is built on Keras 3: unset it")


def _devices() -> Iterator[Finding]:
    from zoo.compose import get_runtime

    for spec in installed().runtimes:
        if spec.name == AUTO.name:  # which has no devices of its own
            continue
        try:
            with busy(f"asking runtime {spec.name!r}"):
                devices = ", ".join(get_runtime(spec.name).devices())
            yield Finding("ok", f"runtime {spec.name}", devices)
        except (ZooError, ImportError) as error:
            yield Finding("note", f"runtime {spec.name}", str(error))


def _plugins() -> Iterator[Finding]:
    plugins = installed()
    failed = {failure.plugin: failure.reason for failure in plugins.failures}
    yield Finding("ok", "plugins", f"{len(plugins.origins) - len(failed)} loaded, {len(plugins.backbones)} backbones")
    for plugin, reason in failed.items():
        yield Finding("fault", f"plugin {plugin}", f"{reason} ('zoo plugins' says more)")
    for catalog in user_catalogs():
        if str(catalog) not in failed:
            yield Finding("ok", "catalogue", str(catalog))
            yield from _rows(str(catalog))


def _rows(catalog: str) -> Iterator[Finding]:
    """What is wrong with the rows of a user's own catalogue, though each is valid by itself."""
    from zoo.weights import fetch

    plugins = installed()
    known = sorted({output for task in plugins.tasks for output in (*task.ready, *task.trainable)})
    for spec in plugins.backbones:
        if plugins.backbones.owner(spec.name) != catalog:
            continue
        if not any(find_pair(task, spec) for task in plugins.tasks):
            offers = ", ".join(map(repr, spec.outputs))
            detail = f"offers {offers}, which no task uses for {spec.input.kind}; tasks use {', '.join(known)}"
            yield Finding("fault", f"backbone {spec.name}", detail)
        for output, facts in spec.outputs.items():
            if not facts.weights.path:
                continue
            try:
                fetch(facts.weights, wanted_by=f"output {output!r}")
            except ZooError as error:
                yield Finding("fault", f"backbone {spec.name}", str(error))


def _cache() -> Iterator[Finding]:
    from zoo.inventory import items
    from zoo.weights import cache_folder

    folder = cache_folder()
    if folder.exists() and not folder.is_dir():
        yield Finding("fault", "cache", f"{str(folder)!r} is no folder: set ZOO_CACHE to one")
        return
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free / 2**30
    held = items()
    modules = sum(item.kind == "weights" for item in held)
    size = sum(item.size for item in held) / 1e9
    what = f"{folder}, {count_of(modules, 'module')}, {size:.2f} GB in all, {free:.1f} GiB free"
    if os.access(there, os.W_OK):
        yield Finding("ok", "cache", what)
    elif modules:
        yield Finding("note", "cache", f"{what}, not writable: it serves what it holds, and takes nothing new")
    else:
        yield Finding("fault", "cache", f"{what}, not writable: set ZOO_CACHE to another folder")
    for item in held:
        if item.damage:
            yield Finding(
                "fault", "cache", f"{item.name!r}: {item.damage}; 'zoo cache verify --repair' fetches it again"
            )
    dead = [item for item in held if item.dead and not item.damage]
    if dead:
        size = sum(item.size for item in dead) / 1e6
        yield Finding(
            "note", "cache", f"{count_of(len(dead), 'dead draft')}, {size:.1f} MB; 'zoo cache prune' removes them"
        )


def _sources() -> Iterator[Finding]:
    mirror = os.environ.get("ZOO_MIRROR", "")
    if mirror and not mirror.startswith(("http://", "https://")) and not os.path.isdir(os.path.expanduser(mirror)):
        yield Finding("fault", "ZOO_MIRROR", f"there is no folder {mirror!r}; correct it, or unset it")
    elif mirror:
        yield Finding("ok", "ZOO_MIRROR", mirror)
    if os.environ.get("ZOO_OFFLINE"):
        yield Finding("ok", "ZOO_OFFLINE", os.environ["ZOO_OFFLINE"])
    for library, place in foreign.caches().items():
        yield Finding("ok", f"cache of {library}", f"{place}, read in place")
    try:
        if lock := pins.lock_file():
            yield Finding("ok", "lock file", f"{lock}, {count_of(len(pins.pinned()), 'handle')} pinned")
    except ZooError as error:
        yield Finding("fault", "lock file", str(error))
