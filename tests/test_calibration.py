"""A solved head is as sure as it is right."""

import numpy as np
import pytest
from scipy.special import expit, log_softmax, softmax
from sklearn.linear_model import LogisticRegression

from zoo.transfer.calibration import sharpness
from zoo.transfer.solving import solve_labels, solve_logistic


def drawn(n, classes, seed):
    """Features and the class of each, which overlap somewhat."""
    rng = np.random.default_rng(seed)
    targets = np.arange(n) % classes
    return (rng.normal(size=(n, 64)) + 2 * np.eye(64)[targets]).astype(np.float32), targets


def test_a_head_says_as_often_as_it_is_right_that_it_is():
    for n, classes in ((60, 2), (150, 5), (600, 5)):
        x, y = drawn(n, classes, 0)
        new, truth = drawn(4000, classes, 1)
        chances = softmax(solve_logistic(x, y, c=1.0, class_weight=None, seed=0)(new), axis=1)
        right = (chances.argmax(1) == truth).mean()
        assert chances.max(1).mean() == pytest.approx(right, abs=0.1)


@pytest.mark.parametrize("weight", [1.0, 4.0])
def test_every_label_is_as_sure_as_it_is_right_and_answers_as_before(weight):
    """Beside what scikit-learn's regressions say, with the penalty that they have for features of length 1."""
    (x, classes), (new, truth) = drawn(150, 3, 0), drawn(4000, 3, 1)
    y, true = (np.eye(3, dtype=np.float32)[which] for which in (classes, truth))
    head = solve_labels(x, y, c=1.0, pos_weight=np.full(3, weight), seed=0)
    length = np.linalg.norm(x, axis=1).mean()
    for label in range(3):
        plain = LogisticRegression(C=1.0, class_weight={0: 1.0, 1: weight}).fit(x / length, y[:, label])
        before, after = plain.decision_function(new / length), head(new)[:, label]
        assert ((after > 0) == (before > 0)).all()
        losses = [np.logaddexp(0, np.where(true[:, label] > 0, -z, z)).mean() for z in (before, after)]
        assert losses[1] < losses[0]
        right = ((after > 0) == (true[:, label] > 0)).mean()
        assert expit(np.abs(before)).mean() < right - 0.04
        assert expit(np.abs(after)).mean() == pytest.approx(right, abs=0.04)


def test_of_a_rare_class_each_example_is_judged_once():
    targets, judged = np.repeat([0, 1], [1500, 20]), []

    def solve(rows, classes):
        return lambda rest: judged.extend(rest[:, 0]) or np.zeros((len(rest), 2))

    sharpness(solve, np.arange(1520.0)[:, None], targets, 0)
    assert sorted(judged) == list(range(1520))


def test_sharpness_finds_the_temperature_of_logits_that_were_cooled():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(3000, 4)) * 2
    targets = np.array([rng.choice(4, p=softmax(row)) for row in logits])
    found = sharpness(lambda rows, classes: lambda rest: rest / 10, logits, targets, 0)
    assert found == pytest.approx(10, rel=0.1)


def test_a_few_that_are_all_right_do_not_make_it_endless():
    logits = np.repeat(np.eye(2), 6, axis=0)
    targets = np.repeat([0, 1], 6)
    found = sharpness(lambda rows, classes: lambda rest: rest, logits, targets, 0)
    assert np.exp(log_softmax(logits * found, axis=1)).max() == pytest.approx(1 - 1 / 14, abs=1e-3)


def test_a_class_of_one_example_leaves_it_as_it_is():
    assert sharpness(lambda rows, classes: None, np.zeros((3, 2)), np.array([0, 0, 1]), 0) == 1.0
