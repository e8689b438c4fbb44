"""Stages: variables in graph order under the names that their authors gave to blocks."""

import subprocess
import sys
from itertools import pairwise

import pytest

import zoo
from zoo.backbone import load_backbone
from zoo.errors import OptionError
from zoo.transfer.stages import stage_name, stages_of
from zoo.transfer.strategies import plan

GOLDEN = {
    "MobileNetV2": ["Conv1", "expanded_conv", *(f"block_{n}" for n in range(1, 17)), "Conv_1"],
    "InceptionV3": ["stem", *(f"mixed{n}" for n in range(11))],
    "ResNet50": [
        "conv1",
        *(f"conv{n}_block{m}" for n, count in ((2, 3), (3, 4), (4, 6), (5, 3)) for m in range(1, count + 1)),
    ],
}


class Application(zoo.Backbone):
    """A Keras Application with random weights."""

    def load(self):
        import keras

        build = getattr(keras.applications, self.files["application"])
        self.model = build(weights=None, include_top=False, pooling="avg", input_shape=(96, 96, 3))

    def forward(self, batch, training=False):
        return {"features": self.model(batch, training=training)}

    def parameters(self):
        return self.model.count_params()

    def variables(self):
        from zoo_keras.network import variables_by_path

        return variables_by_path(self.model)


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
@pytest.mark.parametrize("application", GOLDEN)
def test_the_stages_of_known_networks(application):
    spec = zoo.get("classification", "tiny_cnn_m").spec.model_copy(update={"input": zoo.ImageInput(size=(96, 96))})
    backbone = Application(spec, "features", {"application": application})
    backbone.load()
    stages = stages_of(backbone)
    assert [stage.name for stage in stages] == GOLDEN[application]
    assert sum(stage.parameters for stage in stages) == backbone.parameters()


def loaded(name, output="features"):
    model = zoo.get("classification", name)
    return load_backbone(model.spec, output, model.files(output))


def test_the_stages_of_a_network_hold_all_its_parameters():
    backbone = loaded("tiny_cnn_m")
    stages = stages_of(backbone)
    assert [stage.name for stage in stages] == ["conv2d_1", "conv2d_2"]
    assert sum(stage.parameters for stage in stages) == backbone.parameters()


@pytest.mark.assets
def test_the_stages_of_a_saved_mobilenet(assets):
    stages = stages_of(loaded("real_mobilenet_v2"))
    assert [stage.name for stage in stages] == GOLDEN["MobileNetV2"]
    assert sum(stage.parameters for stage in stages) == 2_257_984


@pytest.mark.parametrize(
    ("path", "stage"),
    [
        ("InceptionV3/InceptionV3/Mixed_5b/Branch_0/Conv2d_0a_1x1", "Mixed_5b"),
        ("resnet_v2_50/block4/unit_3/bottleneck_v2/conv1", "block4/unit_3"),
        ("MobilenetV2/expanded_conv_16/project", "expanded_conv_16"),
        ("conv2_block1_0_conv", "conv2_block1"),
        ("transformer/layer_11/self_attention/query", "layer_11"),
        ("top_conv", ""),
    ],
)
def test_the_block_is_read_from_a_variables_path(path, stage):
    assert stage_name(path) == stage


def test_full_trains_every_stage_the_lower_ones_more_slowly():
    stages = stages_of(loaded("tiny_cnn_m"))
    (phase,) = plan("full", stages, epochs=2, rate=1.0)
    rates = [phase.rates[stage.name] for stage in stages if stage.trainable]
    assert rates[-1] == phase.rates["head"] == 1.0
    assert all(lower == pytest.approx(0.75 * upper) for lower, upper in pairwise(rates))


def test_each_stage_of_gradual_learns_more_slowly_than_the_one_above():
    phases = plan("gradual", stages_of(loaded("tiny_cnn_m")), epochs=3, rate=1.0, unfreeze=2)
    assert [phase.epochs for phase in phases] == [1, 2]
    assert phases[0].rates == {"head": 1.0, "conv2d_2": 1.0}
    assert phases[1].rates["conv2d_1"] == pytest.approx(1 / 2.6)


def test_the_last_0_stages_are_none():
    (phase,) = plan("last", stages_of(loaded("tiny_cnn_m")), epochs=1, unfreeze=0)
    assert phase.rates.keys() == {"head"}


def test_a_stage_that_is_not_there_is_told_with_those_that_are():
    with pytest.raises(OptionError, match="no stage 'block_99'; there are 'conv2d_1', 'conv2d_2', and 'head'"):
        plan("mixed", stages_of(loaded("tiny_cnn_m")), epochs=1, mixed={"block_99": "train"})


def test_show_lists_stages():
    done = subprocess.run(
        [sys.executable, "-m", "zoo", "show", "tiny_cnn_m", "--stages"], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1].split() == ["conv2d_2", "7,040", "6,976"]
