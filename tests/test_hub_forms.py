"""Every form of module in the TensorFlow Hub catalogue: exported, served under a real handle, fetched, and right."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import softmax

import zoo
import zoo_tfhub
from zoo import ImageInput
from zoo.batches import stack
from zoo.errors import PairError
from zoo.inputs import prepare, sample_inputs

SPECS = []
zoo_tfhub.register_backbones(SPECS.append)

# Each form with one row of the catalogue that stands for it, and what plays its module.
FORMS = {
    "logits, flags": ("inception_v3", lambda m, facts, folder: m.SlimModule(facts.width)),
    "features, flags": ("mobilenet_v2_100_224", lambda m, facts, folder: m.SlimModule(facts.width)),
    "logits, Keras": ("vit_b16", lambda m, facts, folder: m.KerasModule(facts.width, 224)),
    "features, Keras": ("convnext_tiny_224", lambda m, facts, folder: m.KerasModule(facts.width, 224)),
    "features, maps": ("vgg19_block1_conv2_unpooling", lambda m, facts, folder: m.MapModule(facts.width)),
    "boxes, dict": ("ssd_mobilenet_v2", lambda m, facts, folder: m.DictDetector()),
    "boxes, tuple": ("efficientdet_lite0", lambda m, facts, folder: m.TupleDetector()),
    "strings, vocabulary": ("nnlm_en_dim50", lambda m, facts, folder: m.TokenEmbedding(facts.width, folder)),
    "strings": ("universal_sentence_encoder", lambda m, facts, folder: m.SentenceEncoder(facts.width)),
    "strings, text ops": (
        "universal_sentence_encoder_multilingual",
        lambda m, facts, folder: m.TextOpsEncoder(facts.width),
    ),
    "strings, list": ("sentence_t5_base", lambda m, facts, folder: m.ListEncoder(facts.width)),
    "preprocessed, pooled_output": ("albert_en_base", lambda m, facts, folder: m.BertEncoder(facts.width, facts.key)),
    "preprocessed, None": ("distilkobert_sentence_encoder", lambda m, facts, folder: m.VectorEncoder(facts.width)),
    "preprocessed, default": ("labse", lambda m, facts, folder: m.BertEncoder(facts.width, facts.key)),
}
READ = [spec for spec in SPECS if not spec.unread]


def form(spec, output):
    """What a module takes and how it answers."""
    facts = spec.outputs[output]
    if spec.family in ("vgg", "mobilenet_edgetpu") and output == "features":
        return "features, maps"
    if output == "boxes":
        return "boxes, tuple" if facts.boxes == "yxyx_pixel" else "boxes, dict"
    if isinstance(spec.input, ImageInput):
        return f"{output}, {'Keras' if '/sayakpaul/' in facts.weights.tfhub else 'flags'}"
    if spec.input.preprocessor:
        return f"preprocessed, {facts.key}"
    if spec.family in ("nnlm", "wiki_words", "swivel"):
        return "strings, vocabulary"
    if spec.family in ("sentence_t5", "gtr"):
        return "strings, list"
    return "strings, text ops" if spec.imports else "strings"


@pytest.fixture
def served(hub, tmp_path):
    """`served(form)`: the row that stands for it, its module as it was before export, published on the hub."""
    import hub_modules

    def serve(kind):
        name, build = FORMS[kind]
        spec = zoo.spec(name)
        (output,) = [output for output in spec.outputs if form(spec, output) == kind]
        facts = spec.outputs[output]
        module = build(hub_modules, facts, tmp_path)
        hub.publish(facts.weights.tfhub, hub_modules.export(module, tmp_path / "module"))
        before = None
        if kind.startswith("preprocessed"):
            before = hub_modules.Preprocessor(tmp_path)
            hub.publish(spec.input.preprocessor.tfhub, hub_modules.export(before, tmp_path / "before"))
        return SimpleNamespace(name=name, spec=spec, facts=facts, module=module, before=before)

    return serve


def pictures(spec):
    """Two photographs, and what the network is given of them."""
    sources = sample_inputs("image")
    return sources, stack([prepare(source, spec.input).value for source in sources], "image")


def test_every_form_in_the_catalogue_is_tried():
    assert {form(spec, output) for spec in READ for output in spec.outputs} == set(FORMS)
    for kind, (name, _) in FORMS.items():
        spec = zoo.spec(name)
        assert kind in [form(spec, output) for output in spec.outputs]


def test_what_has_no_form_says_so_and_fits_no_task():
    unread = [spec for spec in SPECS if spec.unread]
    assert len(unread) == 17
    assert not [pair for pair in zoo.list_pairs() if pair.backbone.unread]
    with pytest.raises(
        PairError, match=r"'ulmfit_en_sp35k_cased.hub_wiki' can't be run yet: it returns states of every"
    ):
        zoo.get("embedding", "ulmfit_en_sp35k_cased")


@pytest.mark.parametrize("kind", ["logits, flags", "logits, Keras"])
def test_a_classifier_from_the_hub_gives_the_module_s_own_answers(kind, served):
    row = served(kind)
    sources, batch = pictures(row.spec)
    answers = zoo.get("classification", row.name).predict(sources)
    expected = softmax(row.module(batch, training=False).numpy(), axis=-1)
    assert np.abs(expected[0] - expected[1]).max() > 1e-4
    np.testing.assert_allclose([answer.scores for answer in answers], expected, rtol=1e-3, atol=1e-6)
    assert [answer.index for answer in answers] == expected.argmax(-1).tolist()


@pytest.mark.parametrize("kind", ["features, flags", "features, Keras"])
def test_a_feature_extractor_from_the_hub_gives_the_module_s_own_vectors(kind, served):
    row = served(kind)
    sources, batch = pictures(row.spec)
    vectors = zoo.get("embedding", row.name).encode(sources)
    expected = row.module(batch, training=False).numpy()
    assert vectors.shape == (2, row.facts.width)
    np.testing.assert_allclose(vectors, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_maps_of_features_are_averaged_over_the_picture(served):
    row = served("features, maps")
    source = sample_inputs("image")[0]
    vectors = zoo.get("embedding", row.name).encode([source])
    expected = row.module(prepare(source, row.spec.input).value[np.newaxis]).numpy().mean((1, 2))
    assert vectors.shape == (1, row.facts.width)
    np.testing.assert_allclose(vectors, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("kind", ["boxes, dict", "boxes, tuple"])
def test_a_detector_from_the_hub_gives_the_module_s_own_boxes_in_pixels(kind, served):
    row = served(kind)
    model = zoo.get("detection", row.name)
    for source in sample_inputs("image"):
        prepared = prepare(source, row.spec.input)
        boxes, scores, classes = (part[0].numpy() for part in row.module.detect(prepared.value[np.newaxis]))
        real = {"boxes, dict": 10, "boxes, tuple": 12}[kind]
        conf = float(scores[5])  # between the sixth and the seventh of sixteen
        answer = model.predict(source, conf=conf - 1e-6)
        width, height = prepared.size
        expected = boxes[:6][:, [1, 0, 3, 2]] * [width, height, width, height]
        np.testing.assert_allclose(answer.boxes, expected, rtol=1e-4, atol=0.1)
        np.testing.assert_allclose(answer.scores, scores[:6], rtol=1e-4)
        assert answer.ids.tolist() == classes[:6].tolist()
        assert len(model.predict(source, conf=0.0)) == real


@pytest.mark.parametrize("kind", [kind for kind in FORMS if kind.startswith(("strings", "preprocessed"))])
def test_a_text_encoder_from_the_hub_gives_the_module_s_own_vectors(kind, served):
    row = served(kind)
    texts = sample_inputs("text")
    vectors = zoo.get("embedding", row.name).encode(texts, batch_size=3)  # a ragged last batch
    answer = row.module(row.before(texts) if row.before else np.array(texts, object))
    answer = answer[0] if isinstance(answer, list) else answer[row.facts.key] if row.facts.key else answer
    expected = answer.numpy()
    assert vectors.shape == (len(texts), row.facts.width)
    assert len({tuple(vector) for vector in expected.round(4)}) > len(texts) / 2
    np.testing.assert_allclose(vectors, expected, rtol=1e-3, atol=1e-5)


def test_a_module_is_fetched_once_and_only_for_the_output_that_is_called_for(hub, served):
    row = served("logits, flags")
    sources = sample_inputs("image")
    first = zoo.get("classification", row.name).predict(sources)
    assert hub.requests == ["GET /google/imagenet/inception_v3/classification/5?tf-hub-format=compressed"]
    again = zoo.get("classification", row.facts.weights.tfhub).predict(sources)
    assert len(hub.requests) == 1
    np.testing.assert_array_equal(first[0].scores, again[0].scores)


def test_a_module_of_another_width_than_the_catalogue_says_is_told(hub, tmp_path):
    import hub_modules

    from zoo.errors import LabelError

    spec = zoo.spec("inception_v3")
    folder = hub_modules.export(hub_modules.SlimModule(1000), tmp_path / "module")
    hub.publish(spec.outputs["logits"].weights.tfhub, folder)
    with pytest.raises(LabelError, match=r"gives 1000 scores.*'imagenet-1001' has 1001 classes"):
        zoo.get("classification", "inception_v3").predict(sample_inputs("image")[0])
