"""A candidate runs in a process of its own on real inputs; whatever happens there is an answer here."""

import numpy as np
import psutil
import pytest
from fake_runtimes import write_fakes

import zoo
from zoo.agreement import Agreement
from zoo.backbone import import_loader, load_backbone
from zoo.dataset import Example, InMemory
from zoo.errors import InputError, RuntimeLoadError
from zoo.plugins import installed
from zoo.tuning.candidate import Candidate, Job, TrialError
from zoo.tuning.choice import Question
from zoo.tuning.contest import Contest, Limits
from zoo.tuning.entrant import Entrant
from zoo.tuning.examples import real_examples
from zoo.tuning.trial import write_batches


def a_task(name="classification"):
    spec = installed().tasks.get(name)
    return import_loader(spec.loader, name)(spec)


@pytest.fixture
def trial(tmp_path, monkeypatch):
    """Makes a candidate on three batches of real inputs."""
    write_fakes(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("FAKE_RUNTIMES", "slug dozer refuser")
    spec = zoo.BackboneSpec(
        name="colours",
        input={"kind": "image", "size": [32, 32], "resize": "stretch"},
        outputs={"logits": {"width": 3, "weights": {"path": str(tmp_path)}}},
    )
    examples = real_examples(a_task(), spec, "logits", 8, None)
    assert (examples.count, examples.origin) == (120, "parts of two sample photographs")
    (tmp_path / "batches").mkdir()
    write_batches(tmp_path / "batches", examples.batches[:3])
    backbone = load_backbone(spec, "logits", {"weights": tmp_path})

    def make(runtime, precision="fp32"):
        return Candidate(Job(backbone, runtime, precision, None, tmp_path / "batches"), tmp_path / runtime)

    return make


def test_a_candidate_answers_the_batches_that_it_is_given(trial):
    with trial("slug") as candidate:
        assert candidate.ask("load", 30) == {"device": "cpu", "precision": "fp32"}
        assert candidate.ask("batch", 30)["inputs"] == 8
        assert candidate.ask("answer", 30, seconds=5) == {"batches": 3}
        assert [outputs["logits"].shape for outputs in candidate.outputs()] == [(8, 3)] * 3
        assert candidate.ask("answer", 30, seconds=0) == {"batches": 1}, "the second would begin too late"


def test_a_candidate_that_hangs_is_ended(trial):
    with trial("dozer") as candidate:
        process = psutil.Process(candidate._process.pid)
        with pytest.raises(TrialError, match="no answer to 'load' within 2 s"):
            candidate.ask("load", 2)
        assert not process.is_running()


def test_a_candidate_ends_with_the_process_that_leads_it(trial):
    with trial("dozer") as candidate:
        process = psutil.Process(candidate._process.pid)
        candidate._process.stdin.write('{"do": "load"}\n')
        candidate._process.stdin.close()
        process.wait(timeout=30)


def test_an_error_of_the_zoo_keeps_its_class(trial):
    with trial("refuser") as candidate, pytest.raises(TrialError, match="can't take the operation") as caught:
        candidate.ask("load", 30)
    assert caught.value.error is RuntimeLoadError


def test_samples_of_the_models_own_labels_come_before_photographs():
    examples = real_examples(a_task(), zoo.spec("tiny_cnn_s"), "logits", 100, None)
    assert (examples.count, examples.origin) == (256, "inputs of 'tiny_digits'")
    assert [len(batch) for batch in examples.batches] == [100, 100, 100], "the last one is filled up"
    np.testing.assert_array_equal(examples.batches[2][56:], examples.batches[0][:44])


def test_texts_of_like_length_are_neighbours():
    examples = real_examples(a_task("embedding"), zoo.spec("tiny_text_s"), "features", 16, None)
    assert examples.origin == "inputs of 'tiny_sentences'"
    lengths = [max(map(len, batch)) for batch in examples.batches]
    assert lengths == sorted(lengths, reverse=True)


def test_texts_without_samples_are_sentences_of_the_core_alone_and_in_pairs():
    examples = real_examples(a_task(), zoo.spec("tiny_text_s"), "features", 32, None)
    assert (examples.count, examples.origin) == (64, "the core's sentences, alone and in pairs")


def test_pictures_of_any_size_share_a_batch_only_with_their_like():
    spec = zoo.BackboneSpec(
        name="free", input={"kind": "image"}, outputs={"logits": {"width": 3, "weights": {"path": "."}}}
    )
    examples = real_examples(a_task(), spec, "logits", 32, None)
    assert sum(map(len, examples.batches)) == examples.count == 120
    assert len({batch.shape[1:] for batch in examples.batches}) == 4


def test_the_users_own_data_comes_first_and_must_be_readable():
    pictures = [Example(str(n), np.full((40, 40, 3), n % 256, np.uint8), 0) for n in range(300)]
    data = InMemory(pictures, "image", "class")
    examples = real_examples(a_task(), zoo.spec("tiny_cnn_s"), "logits", 32, data)
    assert (examples.count, examples.origin) == (256, "inputs of '(in memory)'")
    broken = InMemory([Example("0", b"no picture", 0)], "image", "class")
    with pytest.raises(InputError, match="not one of inputs of"):
        real_examples(a_task(), zoo.spec("tiny_cnn_s"), "logits", 32, broken)


def entrant(name, ratio, nearness):
    agreement = Agreement("top-1 the same", nearness, 0.99, 100)
    return Entrant(name, "fp32", agreement=agreement, single=ratio, timings=[(ratio, 1.0)])


@pytest.mark.parametrize(
    ("ratios", "wins"),
    [
        ({"near": (1.02, 1.0)}, "tf"),
        ({"near": (1.1, 1.0)}, "near"),
        ({"near": (2.0, 1.0), "far": (2.04, 0.995)}, "near"),
        ({"near": (2.0, 1.0), "far": (2.2, 0.995)}, "far"),
        ({"near": (0.9, 1.0)}, "tf"),
    ],
)
def test_of_those_that_are_all_but_as_fast_the_nearest_to_the_reference_wins(ratios, wins):
    contest = Contest(Question("classification", 32, "auto"), a_task(), None, None, Limits(), print)
    reference = contest._reference
    reference.single, reference.timings = 1.0, [(1.0, 1.0)]
    assert contest._fastest([reference, *(entrant(name, *facts) for name, facts in ratios.items())]).runtime == wins
