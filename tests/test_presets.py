"""KerasHub presets: small networks of random weights, saved as KerasHub saves its own, and read from their folders."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.backbone import load_backbone
from zoo.errors import BackboneError, MissingPackageError, WeightsError
from zoo.formats import format_of
from zoo.specs import BackboneSpec

# Keras 3.15 reads its own variables in a way that NumPy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
TEXTS = ["the cat runs fast .", "a dog", "the the the a cat . a dog runs runs fast fast"]
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "a", "cat", "dog", "runs", "fast", "."]
PICTURES = np.random.default_rng(0).integers(0, 256, (2, 40, 50, 3)).astype(np.uint8)
WIDE = np.random.default_rng(1).integers(0, 256, (1, 80, 160, 3)).astype(np.uint8)


def resnet(blocks, size):
    from keras_hub import models

    return models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=[64] * blocks,
        stackwise_num_blocks=[1] * blocks,
        stackwise_num_strides=[1] + [2] * (blocks - 1),
        block_type="basic_block",
        image_shape=(size, size, 3),
    )


def classifier():
    from keras_hub import layers, models

    converter = layers.ResNetImageConverter(image_size=(32, 32), scale=1 / 255, offset=-0.5)
    preprocessor = models.ResNetImageClassifierPreprocessor(image_converter=converter)
    return models.ResNetImageClassifier(backbone=resnet(2, 32), num_classes=5, preprocessor=preprocessor)


def retinanet():
    from keras_hub import layers, models

    pyramid = models.RetinaNetBackbone(image_encoder=resnet(4, None), min_level=3, max_level=4, use_p5=False)
    converter = layers.RetinaNetImageConverter(
        image_size=(64, 64), pad_to_aspect_ratio=True, crop_to_aspect_ratio=False, scale=1e-4
    )
    detector = models.RetinaNetObjectDetector(
        backbone=pyramid,
        num_classes=91,
        bounding_box_format="xywh",
        preprocessor=models.RetinaNetObjectDetectorPreprocessor(image_converter=converter),
        prediction_decoder=layers.NonMaxSuppression(
            from_logits=True, bounding_box_format="xywh", confidence_threshold=0.001, max_detections=8
        ),
    )
    bias = detector.box_head.prediction_layer.bias  # drawn so that all boxes shrink to nothing
    bias.assign(np.zeros(bias.shape))
    return detector


def bert():
    from keras_hub import models

    sizes = {"num_layers": 1, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 16}
    tokenizer = models.BertTokenizer(vocabulary=WORDS, lowercase=True)
    return models.BertBackbone(vocabulary_size=len(WORDS), max_sequence_length=16, **sizes), tokenizer


def embedder():
    from keras_hub import models

    network, tokenizer = bert()
    preprocessor = models.BertTextEmbedderPreprocessor(tokenizer=tokenizer, sequence_length=16)
    return models.BertTextEmbedder(backbone=network, preprocessor=preprocessor)


def sentiment():
    from keras_hub import models

    network, tokenizer = bert()
    preprocessor = models.BertTextClassifierPreprocessor(tokenizer=tokenizer, sequence_length=16)
    return models.BertTextClassifier(backbone=network, num_classes=2, preprocessor=preprocessor)


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    """`preset(build)`: a KerasHub task and the folder in which KerasHub saved it."""
    import keras

    made = {}

    def save(build):
        if build not in made:
            keras.utils.set_random_seed(0)
            task, folder = build(), tmp_path_factory.mktemp("preset")
            task.save_to_preset(str(folder))
            made[build] = task, folder
        return made[build]

    return save


def spec(output, *, kind="image", batch=None, **facts):
    seen = {"kind": "image", "dtype": "uint8", "batch": batch} if kind == "image" else {"kind": "text"}
    return BackboneSpec(name="mine", input=seen, outputs={output: {"weights": {}} | facts})


def test_an_image_classifier_prepares_pictures_as_its_preset_says(preset):
    task, folder = preset(classifier)
    assert format_of(folder, "it").name == "kerashub_preset"
    model = zoo.get("classification", spec("logits", width=5), weights=folder)
    found = model.compiled("logits")(PICTURES)["logits"]
    expected = task.predict(PICTURES.astype(np.float32), verbose=0)
    assert np.ptp(expected) > 0.01
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert model.compiled("logits").parameters() == task.count_params()


def test_its_features_are_what_its_last_layer_takes(preset):
    task, folder = preset(classifier)
    features = load_backbone(spec("features"), "features", {"weights": folder}).forward(PICTURES)["features"]
    logits = np.asarray(features) @ np.asarray(task.output_dense.kernel) + np.asarray(task.output_dense.bias)
    np.testing.assert_allclose(logits, task.predict(PICTURES.astype(np.float32), verbose=0), rtol=1e-4, atol=1e-5)


def test_a_detector_s_boxes_count_in_the_picture_and_not_in_what_was_padded_around_it(preset):
    task, folder = preset(retinanet)
    backbone = load_backbone(spec("boxes", batch=1, labels="coco-91"), "boxes", {"weights": folder})
    found = {name: value.numpy() for name, value in backbone.forward(tf.constant(WIDE)).items()}
    own = task.predict(WIDE.astype(np.float32), verbose=0)
    left, top, width, height = np.moveaxis(own["boxes"][0], -1, 0)
    # 160 x 80 shrinks to 64 x 32, with 16 rows of nothing above and below.
    expected = np.stack([(top - 16) / 32, left / 64, (top + height - 16) / 32, (left + width) / 64], -1)
    assert own["num_detections"][0] == found["count"][0] == 8
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(found["boxes"][0], expected.clip(0, 1), atol=2e-3)
    np.testing.assert_allclose(found["scores"], own["confidence"], atol=1e-4)
    np.testing.assert_array_equal(found["classes"], own["labels"])


def test_a_detector_of_any_batch_is_told_what_to_write(preset):
    backbone = load_backbone(spec("boxes", labels="coco-91"), "boxes", {"weights": preset(retinanet)[1]})
    with pytest.raises(BackboneError, match="set 'batch = 1' in its row's input"):
        tf.function(backbone.forward, autograph=False).get_concrete_function(tf.TensorSpec([None, 9, 9, 3], tf.uint8))


def test_a_text_embedder_reads_strings(preset):
    task, folder = preset(embedder)
    model = zoo.get("embedding", spec("features", kind="text", width=8), weights=folder)
    expected = task.predict(TEXTS, verbose=0)
    assert np.ptp(expected, axis=0).max() > 0.01
    np.testing.assert_allclose(model.encode(TEXTS), expected, atol=1e-5)


def test_a_text_classifier_answers_and_its_encoder_gives_features(preset):
    task, folder = preset(sentiment)
    facts = {"width": 2, "labels": ["negative", "positive"]}
    logits = load_backbone(spec("logits", kind="text", **facts), "logits", {"weights": folder}).forward(TEXTS)["logits"]
    np.testing.assert_allclose(logits, task.predict(TEXTS, verbose=0), atol=1e-5)
    encoder = load_backbone(spec("features", kind="text"), "features", {"weights": folder})
    features = np.asarray(encoder.forward(TEXTS)["features"])
    top = task.layers[-1]
    np.testing.assert_allclose(features @ np.asarray(top.kernel) + np.asarray(top.bias), logits, atol=1e-5)


def test_a_bare_encoder_gives_the_pooled_state_of_its_first_token(preset, tmp_path):
    network, tokenizer = bert()
    network.save_to_preset(str(tmp_path))
    tokenizer.save_to_preset(str(tmp_path))
    found = load_backbone(spec("features", kind="text"), "features", {"weights": tmp_path}).forward(TEXTS)["features"]
    expected = network(preset(sentiment)[0].preprocessor(TEXTS))["pooled_output"]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    with pytest.raises(
        BackboneError, match="is a bare backbone: it holds no trained TextClassifier, which 'logits' needs"
    ):
        load_backbone(spec("logits", kind="text", width=2), "logits", {"weights": tmp_path}).load()


def test_a_width_that_is_not_the_preset_s_is_told(preset):
    with pytest.raises(BackboneError, match="has 5 classes, and the spec's width is 7: correct its row"):
        load_backbone(spec("logits", width=7), "logits", {"weights": preset(classifier)[1]}).load()


@pytest.fixture
def broken(preset, tmp_path):
    """A copy to break."""
    return shutil.copytree(preset(classifier)[1], tmp_path / "preset")


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5"])
def test_a_missing_file_is_named(broken, name):
    (broken / name).unlink()
    with pytest.raises(BackboneError, match=rf"'mine': .*preset' has no file '{name}'; fetch it again"):
        load_backbone(spec("logits", width=5), "logits", {"weights": broken}).load()


@pytest.mark.parametrize("name", ["task.json", "preprocessor.json"])
def test_a_cut_configuration_is_named(broken, name):
    (broken / name).write_text((broken / name).read_text()[:100])
    with pytest.raises(BackboneError, match=rf"'{name}' can't be read: it is cut or damaged"):
        load_backbone(spec("logits", width=5), "logits", {"weights": broken}).load()


def test_cut_weights_are_named(broken):
    weights = broken / "model.weights.h5"
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(BackboneError, match=r"can't be loaded by KerasHub .*truncated file"):
        load_backbone(spec("logits", width=5), "logits", {"weights": broken}).load()


def test_code_in_a_preset_is_refused_by_name(broken):
    config = json.loads((broken / "preprocessor.json").read_text())
    config |= {"module": "my.own.module", "registered_name": "my>Preprocessor"}
    (broken / "preprocessor.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match=r"preprocessor\.json' holds code .* of module 'my\.own\.module'"):
        load_backbone(spec("logits", width=5), "logits", {"weights": broken}).load()


def test_without_keras_hub_it_says_what_to_install(broken, monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'tf-model-zoo\[kerashub\]'"):
        load_backbone(spec("logits", width=5), "logits", {"weights": broken}).load()


def test_a_preset_s_variables_can_be_trained_and_saved(preset, tmp_path):
    backbone = load_backbone(spec("features", kind="text"), "features", {"weights": preset(sentiment)[1]})
    before = backbone.forward(TEXTS)["features"].numpy()
    found = backbone.variables()
    assert sum(int(np.prod(variable.shape)) for variable in found.values()) == backbone.parameters()
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(backbone.forward(TEXTS, training=True)["features"] ** 2)
    name = next(name for name in found if "pooled_dense/kernel" in name)
    gradient = tape.gradient(loss, found[name])
    found[name].assign_sub(100 * gradient)
    after = backbone.forward(TEXTS)["features"].numpy()
    assert np.abs(after - before).max() > 1e-3
    again = load_backbone(spec("features", kind="text"), "features", {"weights": backbone.save(tmp_path)})
    np.testing.assert_allclose(again.forward(TEXTS)["features"], after, atol=1e-6)
    found[name].assign_add(100 * gradient)


# ------------------------------------------------------------------------------------------------------- the catalogue


def test_the_catalogue_is_what_keras_hub_s_own_registry_says():
    import zoo_keras
    from zoo_keras.preset_catalogue import rows, written

    assert zoo_keras.PRESETS.read_text(encoding="utf-8") == written(rows())


def test_a_preset_is_found_by_its_name_and_by_its_handle():
    row = zoo.spec("bert_tiny_en_uncased")
    assert row == zoo.spec("kaggle://keras/bert/keras/bert_tiny_en_uncased/3")
    assert row.outputs["features"].weights.kaggle == "keras/bert/keras/bert_tiny_en_uncased/3"
    assert row.params == 4_385_920


def test_a_preset_runs_by_its_name_from_where_its_handle_leads(preset, tmp_path, monkeypatch):
    task, folder = preset(sentiment)
    place = tmp_path / zoo.spec("bert_tiny_en_uncased_sst2").outputs["logits"].weights.kaggle
    shutil.copytree(folder, place)
    monkeypatch.setenv("ZOO_MIRROR", str(tmp_path))
    answers = zoo.get("classification", "bert_tiny_en_uncased_sst2").predict(TEXTS)
    logits = task.predict(TEXTS, verbose=0)
    assert [answer.label for answer in answers] == [("negative", "positive")[best] for best in logits.argmax(-1)]


def test_listing_presets_imports_no_keras_hub():
    code = "import sys, zoo; zoo.list_backbones('*.kerashub'); sys.exit('keras_hub' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
