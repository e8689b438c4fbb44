"""Strategies: what is to train trains, what is frozen stays, bit by bit."""

import numpy as np
import pytest
from trained import DIGITS, variables

import zoo
from zoo.errors import OptionError

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture(scope="module")
def model():
    return zoo.get("classification", "tiny_cnn_m")


def test_trained_stages_change_and_frozen_ones_are_the_same_bit_by_bit(model, tmp_path):
    fitted = model.fit(DIGITS, strategy="last", unfreeze=1, epochs=1)
    before, after = variables(model), variables(fitted)
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    trained = {name for name in before if "_2/" in name and "moving" not in name}
    assert changed == trained
    assert fitted.training.trained == sum(before[name].size for name in trained)
    assert fitted.training.trained + fitted.training.frozen == sum(array.size for array in before.values())
    path = next(iter(model.dataset(DIGITS))).input
    saved = zoo.load(fitted.save(tmp_path / "mine.zoo"))
    np.testing.assert_allclose(saved.predict(path).scores, fitted.predict(path).scores, atol=1e-6)
    assert saved.fit(DIGITS).history["val_accuracy"][-1] > 0.85


def test_a_killed_training_goes_on_to_the_same_end_and_a_seed_gives_the_same_twice(model):
    from keras.callbacks import LambdaCallback

    def stop(epoch, logs):
        if epoch == 1:
            raise KeyboardInterrupt

    settings = {"strategy": "full", "epochs": 3}
    whole = model.fit(DIGITS, **settings)
    with pytest.raises(KeyboardInterrupt):
        model.fit(DIGITS, **settings, callbacks=[LambdaCallback(on_epoch_begin=stop)])
    resumed = model.fit(DIGITS, **settings)
    assert any("went on after epoch 1" in note for note in resumed.training.notes)
    assert resumed.history["val_loss"] == pytest.approx(whole.history["val_loss"], rel=1e-5)


def test_a_loss_that_is_no_number_is_stopped_with_its_cause(model):
    with pytest.raises(OptionError, match=r"the loss became .* lower it"):
        model.fit(DIGITS, strategy="full", epochs=2, learning_rate=1e30)


@pytest.mark.assets
def test_a_module_without_variables_is_told_with_what_works(assets):
    with pytest.raises(OptionError, match=r"exposes no variables to train; strategy='frozen' works"):
        zoo.get("classification", "real_minilm").fit((["a", "b"], [0, 1]), strategy="full")


def test_a_head_may_start_from_the_rows_of_the_one_before(model):
    settings = {"head": "linear", "epochs": 1, "learning_rate": 1e-4}
    cold = model.fit(DIGITS, **settings)
    warm = model.fit(DIGITS).fit(DIGITS, warm_start=True, **settings)
    assert warm.history["val_accuracy"][-1] > 0.9 > cold.history["val_accuracy"][-1]
    with pytest.raises(OptionError, match="takes the head of a model that was fitted before"):
        model.fit(DIGITS, warm_start=True)
