"""The report of a fitted model: its figures are right, its page is whole, and a person can use it."""

import json
import os
import re
import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from playwright.sync_api import expect, sync_playwright

import zoo
from zoo.cli import zoo as cli
from zoo.errors import DatasetError, LabelError, MissingPackageError, OptionError
from zoo.inputs import picture

EVIL = "<script>window.hit=1</script>$x"


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Digits as class folders, one class with a hostile name, one picture that is none."""
    folder = tmp_path_factory.mktemp("data")
    examples = list(zoo.get("classification", "tiny_cnn_s").dataset("tiny_digits"))
    for digit, name in ((3, "three"), (5, EVIL.replace("/", "∕")), (8, "eight")):
        (folder / name).mkdir()
        for number, example in enumerate([one for one in examples if one.target == digit][:24]):
            Image.open(example.input).save(folder / name / f"{number}.png")
    (folder / "three" / "broken.png").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def fitted(cache, data):
    return zoo.get("classification", "tiny_cnn_s").fit(f"folder:{data}", head="linear", epochs=2, learning_rate=0.01)


@pytest.fixture(scope="module")
def written(fitted, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    fitted.report(out)
    return out


@pytest.fixture(scope="module")
def told(written):
    return json.loads((written / "report.json").read_text(encoding="utf-8"))


def test_it_is_one_page_its_pictures_and_json(written):
    names = {"report.html", "report.json", "curves.png", "confusion.png", "calibration.png", "predictions.png"}
    assert {file.name for file in written.iterdir()} == names
    for file in written.glob("*.png"):
        with Image.open(file) as drawn:
            assert min(drawn.size) > 200


def test_by_default_it_is_on_what_was_held_out(told, fitted):
    assert told["data"]["examples"] == fitted.training.validation == len(fitted.held.places)
    assert told["metrics"]["accuracy"]["value"] == pytest.approx(fitted.history["val_accuracy"][-1])
    assert told["metrics"]["log_loss"]["value"] == pytest.approx(fitted.history["val_loss"][-1], rel=1e-4)


def test_no_example_passes_the_backbone_a_second_time(fitted, tmp_path, monkeypatch):
    monkeypatch.setattr(fitted, "outputs", lambda *_: pytest.fail("the backbone ran again"))
    fitted.report(tmp_path)


def test_how_it_was_trained_stands_in_it(told, fitted):
    how = told["training"]
    assert (how["strategy"], how["head"], how["seed"]) == ("frozen", "linear", 0)
    assert how["fingerprint"] == fitted.training.fingerprint
    assert (how["backbone"], how["runtime"]) == ("tiny_cnn_s.digits", "tf, fp32 on cpu")
    assert told["history"]["val_loss"] == fitted.history["val_loss"]


def test_unreadable_files_are_counted_and_named(told):
    (broken,) = told["unreadable"]
    assert broken["input"].endswith("broken.png")
    assert "1 examples could not be read" in told["training"]["notes"]


def test_a_loaded_model_reports_on_the_same_examples(fitted, told, tmp_path):
    loaded = zoo.load(fitted.save(tmp_path / "mine.zoo"))
    loaded.report(tmp_path / "out")
    again = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert [again[part] for part in ("metrics", "mistakes", "examples")] == [
        told[part] for part in ("metrics", "mistakes", "examples")
    ]


def test_validation_data_that_have_changed_are_not_reported_on(fitted, data, tmp_path):
    loaded = zoo.load(fitted.save(tmp_path / "mine.zoo"))
    added = data / "three" / "more.png"
    Image.new("RGB", (32, 32)).save(added)
    try:
        with pytest.raises(DatasetError, match="have changed since"):
            loaded.report(tmp_path / "out")
    finally:
        added.unlink()
    loaded.held = replace(loaded.held, name="folder:/nowhere")
    with pytest.raises(DatasetError, match=r"can't be opened.*name the data"):
        loaded.report(tmp_path / "out")


def test_other_data_are_judged_in_the_classes_of_the_model(fitted, tmp_path):
    with pytest.raises(LabelError, match="no counterpart"):
        fitted.report(tmp_path, "tiny_digits")
    pictures = np.stack([np.full((32, 32, 3), level, np.uint8) for level in (0, 120, 255)])
    fitted.report(tmp_path, (pictures, np.array([0, 1, 2])))
    assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["data"]["examples"] == 3
    with pytest.raises(LabelError, match="class 3"):
        fitted.report(tmp_path, (pictures, np.array([0, 1, 3])))


def test_options_without_data_and_a_file_in_the_way_are_errors(fitted, tmp_path):
    with pytest.raises(OptionError, match="split without data"):
        fitted.report(tmp_path, split="test")
    (tmp_path / "file").touch()
    with pytest.raises(OptionError, match="can't be made"):
        fitted.report(tmp_path / "file")


def test_without_matplotlib_the_error_says_what_to_install(fitted, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingPackageError, match="pip install matplotlib"):
        fitted.report(tmp_path)


def test_the_command_line_writes_it_and_says_where(fitted, told, tmp_path):
    saved = str(fitted.save(tmp_path / "mine.zoo"))
    done = CliRunner().invoke(cli, ["explain", saved, "--out", str(tmp_path / "out"), "--json"])
    assert json.loads(done.output)["metrics"] == told["metrics"]
    assert (tmp_path / "out" / "report.html").is_file()
    done = CliRunner().invoke(cli, ["explain", "classification/tiny_cnn_s", "--out", str(tmp_path / "none")])
    assert "was not fitted" in str(done.exception)
    assert not (tmp_path / "none").exists()


def test_texts_stand_in_a_table(cache, tmp_path):
    texts = np.array([f"the {colour} {thing} number {n}" for n in range(8) for colour, thing in PAIRS], dtype=object)
    numbers = np.array([place % 2 for place in range(len(texts))])
    fitted = zoo.get("classification", "tiny_text_s").fit((texts, numbers), labels=["animal", "tool"])
    page = fitted.report(tmp_path).read_text(encoding="utf-8")
    assert not (tmp_path / "predictions.png").exists()
    assert "<table class=texts>" in page
    assert re.search(r"<td>the (red|small) (horse|hammer|dog|drill) number \d</td>", page)


@pytest.mark.parametrize(
    ("task", "targets", "figure", "metric"),
    [
        ("multilabel", lambda digits: np.stack([digits % 2 == 0, digits > 5], 1) * 1.0, "precision_recall", "micro_f1"),
        ("regression", lambda digits: digits * 1.0, "scatter", "mae"),
    ],
)
def test_models_of_several_labels_and_of_numbers_have_reports_and_exports_of_their_own(
    cache, tmp_path, task, targets, figure, metric
):
    examples = list(zoo.get("classification", "tiny_cnn_s").dataset("tiny_digits"))
    pictures = np.stack([np.asarray(picture(example.input)) for example in examples])
    digits = np.array([example.target for example in examples])
    fitted = zoo.get(task, "tiny_cnn_s").fit((pictures, targets(digits)))
    fitted.report(tmp_path)
    told = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert told["metrics"][metric]["n"]
    assert (tmp_path / f"{figure}.png").is_file()
    (check,) = fitted.export(tmp_path, format="onnx").checks
    assert check.difference < 1e-5


PAIRS = (("red", "horse"), ("red", "hammer"), ("small", "dog"), ("small", "drill"))


@pytest.fixture(scope="module")
def browser():
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        reason = "no Chromium is installed: apt-get install chromium"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def show(browser, written):
    """Opens the report; complaints of the browser and requests that it makes fail the test at its end."""
    trouble, contexts = [], []

    def opened(width=1280, **settings):
        contexts.append(browser.new_context(viewport={"width": width, "height": 900}, **settings))
        tab = contexts[-1].new_page()
        tab.set_default_timeout(5000)
        tab.on("console", lambda message: trouble.append(message.text))
        tab.on("pageerror", lambda error: trouble.append(str(error)))
        file = (written / "report.html").as_uri()
        tab.on("request", lambda request: request.url.startswith((file, "data:")) or trouble.append(request.url))
        tab.goto(file)
        return tab

    yield opened
    for context in contexts:
        context.close()
    assert trouble == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_stands_alone_and_follows_light_and_dark(show, scheme):
    tab = show(color_scheme=scheme)
    paper = tab.evaluate("getComputedStyle(document.querySelector('section')).backgroundColor")
    assert paper == {"light": "rgb(255, 255, 255)", "dark": "rgb(27, 27, 26)"}[scheme]
    shown = tab.locator("img.figure").evaluate_all(
        "all => all.map(one => [one.naturalWidth, one.currentSrc === one.src])"
    )
    assert all(width > 200 and light == (scheme == "light") for width, light in shown)
    assert len(shown) == 3


def test_a_class_name_that_looks_like_markup_is_text(show):
    tab = show()
    assert tab.evaluate("window.hit") is None
    expect(tab.locator("#by-class")).to_contain_text("<script>window.hit=1")


def test_pictures_have_their_prediction_blue_or_red_and_the_truth_in_brackets(show, told):
    tab = show()
    captions = tab.locator("#pictures-with-their-predictions li p")
    seen = captions.evaluate_all("all => all.map(one => [one.innerText, getComputedStyle(one).color])")
    assert len(seen) == len(told["examples"]) == told["data"]["examples"]
    colours = {True: "rgb(29, 95, 184)", False: "rgb(179, 38, 30)"}
    for (text, colour), example in zip(seen, told["examples"], strict=True):
        right = example["true"] == example["predicted"]
        assert text.endswith(f"({example['true']})")
        assert text.startswith("✗") != right
        assert colour == colours[right]


def test_on_a_phone_nothing_is_wider_than_the_screen(show):
    tab = show(390, has_touch=True, is_mobile=True)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390


def test_keys_alone_sort_the_table_and_scroll_the_figures(show):
    tab = show()
    recall = tab.locator("#by-class th", has_text="recall")
    recall.get_by_role("button").focus()
    tab.keyboard.press("Enter")
    expect(recall).to_have_attribute("aria-sort", "descending")
    values = tab.locator("#by-class tbody tr td:nth-child(3)").evaluate_all("all => all.map(one => +one.dataset.value)")
    assert values == sorted(values, reverse=True)
    assert tab.locator(".scroll:not([tabindex='0'])").count() == 0
    for figure in tab.locator("img.figure").all():
        assert figure.get_attribute("alt")
