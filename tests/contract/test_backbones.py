"""Every registered backbone keeps the contract; those whose weights are at hand also run."""

import pytest

from zoo import weights
from zoo.plugins import installed
from zoo.testing import BackboneContract, BackboneFactsContract

EVERY = list(installed().backbones)
# Catalogues in the tree need no network for these: their own weights, and the real ones where the assets are.
LOCAL = [spec for spec in EVERY if any(facts.weights.path for facts in spec.outputs.values())]


def named(specs):
    return [
        pytest.param(spec, id=spec.name, marks=[pytest.mark.assets] if spec.name.startswith("real_") else [])
        for spec in specs
    ]


class TestFacts(BackboneFactsContract):
    @pytest.fixture(params=named(EVERY))
    def spec(self, request):
        return request.param


class TestRunning(BackboneContract):
    @pytest.fixture(params=named(LOCAL))
    def spec(self, request):
        return request.param


def test_no_backbone_at_hand_escapes_the_contract():
    at_hand = {spec.name for spec in EVERY if all(weights.at_hand(facts.weights) for facts in spec.outputs.values())}
    assert at_hand <= {spec.name for spec in LOCAL}
    assert any(name.startswith("tiny_") for name in at_hand)
