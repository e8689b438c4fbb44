"""`zoo data` and `zoo.describe`: what a dataset holds is recounted, and what is wrong with it named."""

import json
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import zoo
from zoo.cli import zoo as command
from zoo.errors import DatasetError, OptionError


@pytest.fixture
def parted(tmp_path):
    """Two classes in train/ and test/, of several sizes and modes; one picture is cut off, one class is empty."""
    rng = np.random.default_rng(0)
    for part, counts in (("train", {"cat": 4, "dog": 2}), ("test", {"cat": 1, "dog": 1})):
        for label, count in counts.items():
            (tmp_path / part / label).mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 256, (20 + 10 * number, 30, 3), dtype=np.uint8)
                mode = "L" if number == 1 else "RGB"
                Image.fromarray(pixels).convert(mode).save(tmp_path / part / label / f"{number}.jpg")
    cut = tmp_path / "train" / "cat" / "3.jpg"
    cut.write_bytes(cut.read_bytes()[:-300])
    (tmp_path / "train" / "eel").mkdir()
    return tmp_path


def test_parts_classes_sizes_and_what_is_broken_are_found(parted):
    train, test = zoo.describe(f"folder:{parted}").parts
    assert (train.name, train.examples, train.classes) == ("train", 6, {"cat": 4, "dog": 2})
    assert (train.imbalance, train.empty, train.modes) == (2.0, ("eel",), {"RGB": 3, "L": 2})
    assert [id.rpartition("/")[2] for id, _ in train.unreadable] == ["3.jpg"]
    assert (train.spreads["height"].least, train.spreads["height"].median, train.spreads["height"].most) == (20, 30, 40)
    assert (test.name, test.classes, test.unreadable) == ("test", {"cat": 1, "dog": 1}, ())


def test_headers_alone_do_not_find_a_truncated_picture_and_say_so(parted):
    part = zoo.describe(f"folder:{parted}", split="train", decode=False).parts[0]
    assert (part.unreadable, part.spreads["height"].most) == ((), 50)
    assert "a truncated picture passes for a good one" in str(part)


def test_sizes_are_those_of_the_upright_picture(tmp_path):
    (tmp_path / "cat").mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20)).save(tmp_path / "cat" / "a.jpg", exif=exif)
    for decode in (True, False):
        spreads = zoo.describe(f"folder:{tmp_path}", decode=decode).parts[0].spreads
        assert (spreads["width"].most, spreads["height"].most) == (20, 40)


def test_objects_are_counted_by_class():
    part = zoo.describe("tiny_scenes").parts[0]
    scenes = list(zoo.get("detection", "tiny_det_s").dataset("tiny_scenes"))
    assert sum(part.classes.values()) == sum(len(scene.target.ids) for scene in scenes)
    assert part.spreads["objects"].most == max(len(scene.target.ids) for scene in scenes)


def test_texts_have_lengths_and_empty_ones_are_named(tmp_path):
    table = tmp_path / "news.csv"
    table.write_text("1,Rain,wet\n2,,\n2,Sun,dry\n")
    part = zoo.describe(f"csv:{table}", columns="label,title,description").parts[0]
    assert (part.classes, part.spreads["characters"].most) == ({"1": 1, "2": 2}, 8)
    assert part.unreadable == (("news.csv row 2", "news.csv row 2 has an empty text"),)


def test_scores_of_pairs_have_a_spread():
    found = zoo.describe("tiny_sentences")
    assert (found.targets, found.labels) == ("similarity", None)
    assert 0 <= found.parts[0].spreads["score"].least < found.parts[0].spreads["score"].most <= 5


def test_a_table_tells_by_its_columns_what_it_holds(tmp_path):
    Image.new("RGB", (9, 7)).save(tmp_path / "a.png")
    (tmp_path / "t.csv").write_text("file,label\na.png,x\n")
    assert zoo.describe(f"csv:{tmp_path / 't.csv'}").parts[0].spreads["width"].most == 9


def test_a_sheet_has_a_row_for_each_class(parted, tmp_path):
    for file in (parted / "train" / "cat" / "3.jpg", parted / "sheet.png"):
        file.unlink(missing_ok=True)
    found = zoo.describe(f"folder:{parted}", split="train")
    with Image.open(found.sheet(tmp_path / "sheet.png")) as sheet:
        pixels = np.asarray(sheet)
    assert sheet.size == (3 * 150 + 6, 2 * 170 + 6)
    assert pixels[30:160, 10:140].std() > 10  # cats are shown,
    assert (pixels[180:340, 310:450] == 255).all()  # and of dogs there are two


def test_texts_have_no_sheet(tmp_path):
    with pytest.raises(OptionError, match="a sheet shows pictures; 'tiny_sentences' has text"):
        zoo.describe("tiny_sentences").sheet(tmp_path / "sheet.png")


def test_the_command_tells_the_same_as_the_function(parted, tmp_path):
    sheet = tmp_path / "sheet.png"
    done = CliRunner().invoke(command, ["data", f"folder:{parted}", "--json", "--sheet", str(sheet)])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told == json.loads(json.dumps(zoo.describe(f"folder:{parted}").to_json() | {"sheet": str(sheet)}))
    assert sheet.stat().st_size > 1000
    plain = CliRunner().invoke(command, ["data", f"folder:{parted}"]).stdout
    assert "no example of class 'eel'" in plain
    assert "3.jpg' is truncated" in plain


def test_a_plain_path_is_known_without_a_model(parted, tmp_path):
    assert [part.name for part in zoo.describe(parted).parts] == ["train", "test"]
    (tmp_path / "table.csv").write_text("text,label\nrain,wet\nsun,dry\n")
    coco = tmp_path / "coco"
    coco.mkdir()
    Image.new("RGB", (9, 7)).save(coco / "a.png")
    facts = {"images": [{"id": 1, "file_name": "a.png", "width": 9, "height": 7}], "annotations": [], "categories": []}
    (coco / "instances_val.json").write_text(json.dumps(facts))
    assert zoo.describe(tmp_path / "table.csv").parts[0].classes == {"dry": 1, "wet": 1}
    assert {zoo.describe(path).targets for path in (coco, coco / "instances_val.json")} == {"boxes"}


def test_a_dataset_that_is_not_there_is_told(tmp_path):
    with pytest.raises(DatasetError, match="there is no"):
        zoo.describe(f"folder:{tmp_path / 'nowhere'}")


def test_no_framework_is_imported_where_the_dataset_needs_none(parted):
    code = (
        f"import sys, zoo; zoo.describe('folder:{parted}'); "
        "print([name for name in ('tensorflow', 'keras', 'sklearn') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
