"""A plugin of runtimes that go right and wrong in every way, as a folder that can be put on the path of modules."""

from pathlib import Path

import numpy as np

PLUGIN = """
import os, sys
import zoo

sys.modules.update(dict.fromkeys(os.environ.get("FAKE_ABSENCES", "").split()))  # not found any more

RUNTIMES = {
    "quick": (("fp32", "bf16"), ("quick_engine",)),
    "slug": (("fp32",), ()),
    "liar": (("fp32",), ()),
    "pretender": (("fp16",), ()),
    "crasher": (("fp32",), ()),
    "sleeper": (("fp32",), ()),
    "dozer": (("fp32",), ()),
    "refuser": (("fp32",), ()),
    "absent": (("fp32", "bf16"), ("a_module_that_nobody_has",)),
}

@zoo.hookimpl
def register_runtimes(register):
    for name in os.environ["FAKE_RUNTIMES"].split():
        precisions, requires = RUNTIMES[name]
        register(zoo.RuntimeSpec(name=name, precisions=precisions, requires=requires,
                                 install=f"pip install {name}-for-zoo", loader="fake_engine:Engine"))
"""

ENGINE = """
import os, time
import numpy as np
import zoo
from zoo.errors import RuntimeLoadError

class Engine(zoo.Runtime):
    def devices(self):
        return ("cpu",)

    def compile(self, backbone, *, device=None, precision="fp32"):
        print("a framework that greets on stdout")
        if self.spec.name == "refuser":
            raise RuntimeLoadError("runtime 'refuser' can't take the operation 'Mean'")
        if self.spec.name == "dozer":
            time.sleep(3600)
        return Means(self.spec.name, precision)

class Means(zoo.Compiled):
    device = "cpu"
    calls = 0

    def __init__(self, name, precision):
        self.name = name
        self.precision = "fp32" if name == "pretender" else precision

    def __call__(self, batch):
        self.calls += 1
        if self.name == "crasher" and self.calls > 1:
            os.write(2, b"segmentation fault in a kernel")
            os.abort()
        if self.name == "sleeper" and self.calls > 1:
            time.sleep(3600)
        time.sleep({"slug": 0.5, "quick": 0.002 * (self.precision == "fp32")}.get(self.name, 0))
        means = batch.mean(axis=(1, 2))
        return {"logits": np.roll(means, self.name == "liar", axis=1) * 10}

    def parameters(self):
        return None
"""


def write_fakes(folder: Path, version: str = "1.0") -> None:
    """Install the plugin, and the package that `quick` requires, into `folder`."""
    (folder / "fake_runtimes_plugin.py").write_text(PLUGIN)
    (folder / "fake_engine.py").write_text(ENGINE)
    _describe(folder, "fake-runtimes", version, "[zoo]\nfakes = fake_runtimes_plugin\n")
    (folder / "quick_engine.py").write_text("")
    _describe(folder, "quick_engine", "3.1", "")


def uninstall_quick(folder: Path) -> None:
    """Take away the package that `quick` requires."""
    (folder / "quick_engine.py").unlink()
    for file in (folder / "quick_engine.dist-info").iterdir():
        file.unlink()
    (folder / "quick_engine.dist-info").rmdir()


def _describe(folder: Path, name: str, version: str, entry_points: str) -> None:
    about = folder / f"{name.replace('-', '_')}.dist-info"
    about.mkdir(exist_ok=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (about / "entry_points.txt").write_text(entry_points)


def save_colours(folder: Path) -> None:
    """A network whose logits are ten times the mean of each colour, and which works hard for a millionth of that."""
    import tensorflow as tf

    class Colours(tf.Module):
        def __init__(self):
            super().__init__()
            random = np.random.default_rng(0)
            self.kernels = [
                tf.Variable(random.normal(size=(5, 5, *shape)).astype(np.float32) / 50)
                for shape in ((3, 24), (24, 24), (24, 3))
            ]

        @tf.function(input_signature=[tf.TensorSpec([None, 32, 32, 3], tf.float32)])
        def __call__(self, images):
            work = images
            for kernel in self.kernels:
                work = tf.nn.relu(tf.nn.conv2d(work, kernel, 1, "SAME"))
            return tf.reduce_mean(images * 10 + 1e-6 * work, [1, 2])

    tf.saved_model.save(Colours(), str(folder))
