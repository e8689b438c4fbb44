"""Intervals agree with an independent computation."""

import math

import numpy as np
import pytest
from scipy import stats

from zoo.metrics import correlation, mean, proportion


@pytest.mark.parametrize(("successes", "n"), [(0, 10), (10, 10), (436, 500), (1, 3)])
def test_a_share_has_wilsons_interval(successes, n):
    score = proportion(successes, n)
    expected = stats.binomtest(successes, n).proportion_ci(method="wilson")
    assert (score.low, score.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert score.value == successes / n


def test_a_mean_has_the_normal_interval():
    values = np.random.default_rng(1).normal(3, 2, 400)
    score = mean(values.sum(), (values**2).sum(), len(values))
    half = 1.959963984540054 * values.std(ddof=1) / math.sqrt(len(values))
    assert (score.value, score.low) == pytest.approx((values.mean(), values.mean() - half))


def test_the_interval_of_a_loss_ends_at_zero():
    score = mean(0.9, 0.81, 3, least=0.0)  # losses 0.9, 0 and 0
    assert (score.low, mean(0.9, 0.81, 3).low < 0, score.high > 0.8) == (0.0, True, True)


def test_pearsons_interval_is_fishers():
    rng = np.random.default_rng(2)
    x = rng.normal(size=200)
    y = x + rng.normal(size=200)
    found = stats.pearsonr(x, y)
    expected = found.confidence_interval(0.95)
    score = correlation(float(found.statistic), 200, ranks=False)
    assert (score.low, score.high) == pytest.approx((expected.low, expected.high))


def test_spearmans_interval_is_wider_than_pearsons():
    pearson, spearman = (correlation(0.8, 100, ranks=ranks) for ranks in (False, True))
    assert spearman.low < pearson.low < 0.8 < pearson.high < spearman.high


def test_nothing_counted_is_not_a_number_and_has_no_interval():
    score = proportion(0, 0)
    assert math.isnan(score.value)
    assert score.low is None
