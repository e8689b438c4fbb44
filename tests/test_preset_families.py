"""KerasHub's families that go their own ways: D-FINE, whose boxes take a turn; RoBERTa, whose words are byte pairs."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from zoo.backbone import load_backbone
from zoo.errors import WeightsError
from zoo.specs import BackboneSpec

# Keras 3.15 reads its own variables in a way that NumPy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
SIDE = 64
PICTURE = np.random.default_rng(0).integers(0, 256, (1, 40, 80, 3)).astype(np.uint8)
TEXTS = ["a quick fox", " a fox", "quick a a a fox quick"]


@pytest.fixture(scope="module")
def d_fine(tmp_path_factory):
    """The smallest D-FINE, and the folder in which KerasHub saved it."""
    import keras
    from keras_hub import layers, models

    keras.utils.set_random_seed(0)
    stages = [[8, 8, 16, 1, 3, 3], [16, 8, 16, 1, 3, 3], [16, 8, 32, 1, 3, 3], [32, 8, 32, 1, 3, 3]]
    encoder = models.HGNetV2Backbone(
        stem_channels=[3, 8, 8],
        stackwise_stage_filters=stages,
        apply_downsample=[False, True, True, True],
        use_lightweight_conv_block=[False, False, True, True],
        depths=[1, 1, 1, 1],
        hidden_sizes=[16, 16, 32, 32],
        embedding_size=8,
        use_learnable_affine_block=True,
        hidden_act="relu",
        image_shape=(SIDE, SIDE, 3),
        out_features=["stage3", "stage4"],
    )
    network = models.DFineBackbone(
        backbone=encoder,
        decoder_in_channels=[16, 16],
        encoder_hidden_dim=16,
        num_denoising=0,
        num_labels=80,
        hidden_dim=16,
        learn_initial_query=False,
        num_queries=8,
        anchor_image_size=(SIDE, SIDE),
        feat_strides=[16, 32],
        num_feature_levels=2,
        encoder_in_channels=[32, 32],
        encode_proj_layers=[1],
        num_attention_heads=2,
        encoder_ffn_dim=16,
        num_encoder_layers=1,
        hidden_expansion=0.5,
        depth_multiplier=0.5,
        eval_idx=-1,
        num_decoder_layers=1,
        decoder_attention_heads=2,
        decoder_ffn_dim=16,
        decoder_n_points=[2, 2],
        lqe_hidden_dim=8,
        num_lqe_layers=1,
        out_features=["stage3", "stage4"],
        image_shape=(SIDE, SIDE, 3),
    )
    converter = layers.DFineImageConverter(image_size=(SIDE, SIDE), scale=1 / 255, crop_to_aspect_ratio=False)
    task = models.DFineObjectDetector(
        backbone=network,
        num_classes=80,
        bounding_box_format="xyxy",
        preprocessor=models.DFineObjectDetectorPreprocessor(image_converter=converter),
        prediction_decoder=layers.NonMaxSuppression(
            from_logits=True, bounding_box_format="xyxy", confidence_threshold=1e-4, max_detections=8
        ),
    )
    folder = tmp_path_factory.mktemp("d_fine")
    task.save_to_preset(str(folder))
    return task, folder


def test_a_d_fine_s_boxes_are_its_network_s_own_whatever_form_it_says_they_have(d_fine):
    task, folder = d_fine
    seen = {"kind": "image", "dtype": "uint8", "batch": 1}
    spec = BackboneSpec(name="mine", input=seen, outputs={"boxes": {"weights": {}, "labels": "coco-80"}})
    backbone = load_backbone(spec, "boxes", {"weights": folder})
    found = {name: value.numpy()[0] for name, value in backbone.forward(tf.constant(PICTURE)).items()}
    count = int(found["count"])
    assert count > 0
    centres, sides = np.split(np.asarray(task(task.preprocessor(PICTURE.astype(np.float32)))["pred_boxes"][0]), 2, -1)
    own = np.concatenate([centres - sides / 2, centres + sides / 2], -1)[:, [1, 0, 3, 2]].clip(0, 1)
    assert np.abs(own[:, [0, 2]] - own[:, [1, 3]]).max() > 0.05  # top is not left
    nearest = np.abs(found["boxes"][:count, None] - own[None]).max(-1).min(-1)
    np.testing.assert_allclose(nearest, 0, atol=1e-4)
    assert (np.diff(found["scores"][:count]) <= 0).all()
    assert set(found["classes"][:count]) <= set(range(80))


@pytest.fixture(scope="module")
def roberta(tmp_path_factory):
    """A small RoBERTa for two classes, and the folder in which KerasHub saved it."""
    import keras
    from keras_hub import models

    keras.utils.set_random_seed(0)
    merges = ["u i", "c k", "ui ck", "q uick", "Ġ quick", "o x", "f ox", "Ġ fox", "Ġ a"]
    words = ["<s>", "<pad>", "</s>", "<mask>", *"aquickfoxĠ", *(merge.replace(" ", "") for merge in merges)]
    words = list(dict.fromkeys(words))
    tokenizer = models.RobertaTokenizer(vocabulary={word: place for place, word in enumerate(words)}, merges=merges)
    task = models.RobertaTextClassifier(
        backbone=models.RobertaBackbone(
            vocabulary_size=len(words), num_layers=1, num_heads=2, hidden_dim=8, intermediate_dim=16
        ),
        preprocessor=models.RobertaTextClassifierPreprocessor(tokenizer=tokenizer, sequence_length=12),
        num_classes=2,
    )
    for variable in task.trainable_variables:  # as drawn, they hardly tell one text from another
        variable.assign(20 * variable)
    folder = tmp_path_factory.mktemp("roberta")
    task.save_to_preset(str(folder))
    return task, folder


def test_a_roberta_s_tokens_are_its_preset_s_own(roberta):
    task, folder = roberta
    facts = {"logits": {"weights": {}, "width": 2, "labels": ["no", "yes"]}, "features": {"weights": {}}}
    spec = BackboneSpec(name="mine", input={"kind": "text"}, outputs=facts)
    found = {output: load_backbone(spec, output, {"weights": folder}).forward(TEXTS)[output] for output in facts}
    expected = task(task.preprocessor(TEXTS)).numpy()
    assert np.ptp(expected, axis=0).max() > 0.1
    np.testing.assert_allclose(found["logits"], expected, rtol=1e-4)
    np.testing.assert_allclose(task.layers[-1](found["features"]), expected, rtol=1e-4)


@pytest.mark.parametrize("part", ["vocabulary", "merges", "proto"])
def test_a_tokenizer_that_reads_a_file_elsewhere_is_refused_by_name(roberta, tmp_path, part):
    folder = shutil.copytree(roberta[1], tmp_path / "preset")
    config = json.loads((folder / "tokenizer.json").read_text())
    config["config"][part] = "/etc/passwd"
    (folder / "tokenizer.json").write_text(json.dumps(config))
    spec = BackboneSpec(name="mine", input={"kind": "text"}, outputs={"features": {"weights": {}}})
    with pytest.raises(WeightsError, match=rf"tokenizer\.json' holds code .*: {part} from the file '/etc/passwd'"):
        load_backbone(spec, "features", {"weights": folder}).load()
