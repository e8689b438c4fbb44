"""Memory stays flat while features of many pictures are computed: neither pictures nor features are kept in it."""

import subprocess
import sys

PICTURES = 50_000
SCRIPT = """
import io, sys
import numpy as np, psutil
from PIL import Image
import zoo
from zoo.dataset import Dataset
from zoo.transfer.features import extract

class Noise(Dataset):
    # Pictures of 64 x 64 pixels, 12 KB each: all together 600 MB. One after the other is made.
    name, modality, targets = "noise", "image", "class"
    seen = {}
    runs = 0

    def __len__(self):
        return int(sys.argv[1])

    def __iter__(self):
        self.runs += 1
        noise = np.random.default_rng(0).integers(0, 255, (64, 64, 64, 3), np.uint8)
        for number in range(len(self)):
            self.seen.setdefault((self.runs, number * 10 // len(self)), psutil.Process().memory_info().rss)
            yield zoo.Example(str(number), np.roll(noise[number % 64], number // 64), number % 2)

    def fingerprint(self):
        return "noise" * 10

data = Noise()
found = extract(zoo.get("classification", "tiny_cnn_s"), data)
assert len(found.targets) == len(data)
rss = psutil.Process().memory_info().rss
early = data.seen[1, 1]
print((max(*data.seen.values(), rss) - early) / 2**20)
"""


def test_fifty_thousand_pictures_need_no_more_memory_than_five_thousand(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path))
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(PICTURES)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    grown = float(done.stdout.splitlines()[-1])
    assert grown < 100, f"{grown:.0f} MB more at the end than after a tenth"
