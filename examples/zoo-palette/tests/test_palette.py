"""The zoo's own contracts, and what is peculiar to palettes. Run them where the plugin is installed."""

from importlib.resources import files

import numpy as np
import pytest
from PIL import Image

import zoo
from zoo.dataset import DatasetOptions
from zoo.errors import LabelError, OptionError
from zoo.plugins import installed
from zoo.testing import BackboneContract, DatasetContract, TaskContract
from zoo_palette.samples import open_samples
from zoo_palette.shades import BASIC, HELD_OUT, LEARNT, WEIGHTS, weights

FLAG = np.repeat(np.uint8([[(0, 0, 255)] * 64, [(255, 255, 255)] * 64, [(255, 0, 0)] * 64]), [40, 16, 8], axis=0)


class TestBackbones(BackboneContract):
    @pytest.fixture(params=["css_basic", "css_shades"])
    def spec(self, request):
        return zoo.spec(f"colour_histogram.{request.param}")


class TestTask(TaskContract):
    @pytest.fixture
    def spec(self):
        return installed().tasks.get("palette")


class TestSamples(DatasetContract):
    @pytest.fixture
    def dataset(self):
        return open_samples("", DatasetOptions())


@pytest.fixture(scope="module")
def model():
    return zoo.get("palette", "colour_histogram")


def test_a_flag_has_the_colours_that_it_was_painted_in(model):
    shares = model.predict(FLAG, most=3).shares
    assert list(shares) == ["blue", "white", "red"]
    assert list(shares.values()) == pytest.approx([40 / 64, 16 / 64, 8 / 64], abs=1e-6)


def test_most_is_at_least_one(model):
    with pytest.raises(OptionError, match="most=0"):
        model.predict(FLAG, most=0)


def test_a_palette_is_drawn_with_its_largest_colour_on_the_left(model, tmp_path):
    with Image.open(model.predict(FLAG).save(tmp_path / "flag.png")) as drawn:
        assert drawn.getpixel((0, 0)) == (0, 0, 255)


def test_more_shades_name_held_out_shades_better(model):
    samples = open_samples("", DatasetOptions())
    assert (
        model.evaluate(samples)["overlap"]
        > zoo.get("palette", "colour_histogram.css_basic").evaluate(samples)["overlap"]
    )


def test_a_colour_that_the_model_has_no_name_for_is_an_error(model):
    with pytest.raises(LabelError, match="teal"):
        model.evaluate([(FLAG, {"teal": 1.0})])


def test_the_shades_to_measure_on_are_not_in_the_weights():
    assert not set(HELD_OUT) & set(LEARNT)
    assert set(BASIC) < set(LEARNT)


@pytest.mark.parametrize("file", WEIGHTS)
def test_the_weights_are_what_their_module_writes(file):
    with files("zoo_palette").joinpath(file).open("rb") as stream, np.load(stream) as held:
        for name, array in weights(WEIGHTS[file]).items():
            np.testing.assert_array_equal(held[name], array)
