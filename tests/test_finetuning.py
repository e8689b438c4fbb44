"""Fine-tuning: resumed, repeatable, in half precision, stage by stage."""

import json
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from click.testing import CliRunner
from trained import changed, few_digits, variables

import zoo
from zoo.cli import zoo as zoo_command
from zoo.errors import OptionError

pytestmark = [
    pytest.mark.usefixtures("own_cache"),
    # Keras 3.15 reads its own variables in a way that NumPy 2 warns of.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
]


@pytest.fixture(scope="module")
def model():
    return zoo.get("classification", "tiny_cnn_m")


@pytest.fixture
def few(model, tmp_path):
    return few_digits(model, tmp_path / "few")


# ------------------------------------------------------------------------------------------------ killed, repeated


def test_a_training_that_was_killed_goes_on_by_the_same_command(few, tmp_path):
    command = [
        sys.executable,
        "-m",
        "zoo",
        "fit",
        "classification/tiny_cnn_m",
        few,
        "--strategy",
        "last",
        "--epochs",
        "60",
    ]
    command += ["--out", str(tmp_path / "mine.zoo"), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 120
    while not list((tmp_path / "cache" / "training").glob("*.npz")):
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "mine.zoo").exists()
    told = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    (epoch,) = re.findall(r"went on after epoch (\d+), where an earlier run had stopped", "\n".join(told["notes"]))
    assert 1 <= int(epoch) < 60
    assert len(zoo.load(tmp_path / "mine.zoo").history["val_loss"]) == 60
    assert not list((tmp_path / "cache" / "training").iterdir())


@pytest.mark.parametrize("change", [{"augment": "heavy"}, {"head": "hidden"}])
def test_another_training_does_not_go_on_where_this_one_stopped(model, few, change):
    from keras.callbacks import LambdaCallback

    def stop(epoch, logs):
        if epoch == 1:
            raise KeyboardInterrupt

    settings = {"strategy": "last", "epochs": 2, "augment": "light"}
    with pytest.raises(KeyboardInterrupt):
        model.fit(few, **settings, callbacks=[LambdaCallback(on_epoch_begin=stop)])
    assert not any("went on" in note for note in model.fit(few, **settings | change).training.notes)


def test_a_checkpoint_that_is_damaged_counts_as_none(tmp_path):
    from zoo.transfer.checkpoints import Checkpoint, State

    checkpoint = Checkpoint("mine")
    checkpoint.write(State(epoch=3, arrays={"weights": [np.arange(9.0)]}))
    assert checkpoint.read().epoch == 3
    checkpoint.file.write_bytes(checkpoint.file.read_bytes()[:200])
    assert checkpoint.read() is None


@pytest.mark.parametrize(
    "settings",
    [
        {"head": "logistic"},
        {"head": "linear", "epochs": 2},
        {"head": "hidden", "epochs": 2},
        {"strategy": "last", "epochs": 2, "augment": "light"},
        {"strategy": "full", "epochs": 2, "batch_norm": "train", "head": "hidden"},
    ],
    ids=lambda settings: "-".join(map(str, settings.values())),
)
def test_a_seed_gives_the_same_numbers_twice_to_the_last_bit(model, few, settings, tmp_path, monkeypatch):
    found = []
    for cache in ("once", "again"):  # nothing that the first has kept helps the second
        monkeypatch.setenv("ZOO_CACHE", str(tmp_path / cache))
        fitted = model.fit(few, seed=3, **settings)
        layers = [array.tobytes() for layer in fitted.head.layers for array in layer]
        found.append((fitted, fitted.history.history, layers))
    (first, *once), (second, *again) = found
    assert once == again
    assert not changed(first, second)


# ------------------------------------------------------------------------------------------------ how it is trained


def test_batch_normalisation_moves_where_it_is_asked_to_and_nowhere_else(model, few):
    moving = {name for name in variables(model) if "moving" in name}
    still = model.fit(few, strategy="full", epochs=1)
    moved = model.fit(few, strategy="full", epochs=1, batch_norm="train")
    assert not moving & changed(model, still)
    assert moving <= changed(model, moved)
    assert moved.training.trained == still.training.trained  # moved by the data, not by a gradient


def half_precision():
    """The state of TensorFlow's switches."""
    import tensorflow as tf

    options = tf.config.optimizer.get_experimental_options()
    return {name: on for name, on in options.items() if on and "mixed_precision" in name}


def test_half_precision_in_training_ends_with_it(model, few, tmp_path):
    import keras

    from zoo.mixed_precision import cpu_has_bf16

    if not cpu_has_bf16():
        with pytest.raises(OptionError, match="this CPU has no bf16"):
            model.fit(few, strategy="full", epochs=1, mixed_precision=True)
        return
    seen = []
    callback = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: seen.append(half_precision()))
    fitted = model.fit(few, strategy="full", epochs=2, mixed_precision=True, callbacks=[callback])
    assert [bool(switches) for switches in seen] == [True, True]
    assert not half_precision()
    assert np.isfinite([value for values in fitted.history.history.values() for value in values]).all()
    assert {array.dtype for array in variables(fitted).values()} == {np.dtype("float32")}
    full = model.fit(few, strategy="full", epochs=2)
    assert changed(full, fitted)  # it did make a difference
    saved = zoo.load(fitted.save(tmp_path / "mine.zoo"))
    path = next(iter(model.dataset("tiny_digits"))).input
    np.testing.assert_allclose(saved.predict(path).scores, fitted.predict(path).scores, atol=1e-6)
    assert not half_precision()


def test_half_precision_ends_with_an_error_too(model, few):
    import keras

    from zoo.mixed_precision import cpu_has_bf16

    if not cpu_has_bf16():
        pytest.skip("this CPU has no bf16, which the test before this one tells")

    def fail(epoch, logs):
        raise RuntimeError("mine")

    callback = keras.callbacks.LambdaCallback(on_epoch_begin=fail)
    with pytest.raises(RuntimeError, match="mine"):
        model.fit(few, strategy="full", epochs=1, mixed_precision=True, callbacks=[callback])
    assert not half_precision()


def test_stages_may_be_told_one_by_one_on_the_command_line(few, model, tmp_path):
    out = tmp_path / "mine.zoo"
    command = [sys.executable, "-m", "zoo", "fit", "classification/tiny_cnn_m", few, "--out", str(out), "--epochs", "1"]
    command += ["--strategy", "mixed", "--stage", "conv2d_1=1e-5", "--stage", "head=freeze"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "264 parameters trained, 7,088 frozen" in done.stdout
    assert {name.split("/")[0] for name in changed(model, zoo.load(out))} == {"conv2d_1", "batch_normalization_1"}


@pytest.mark.parametrize(
    ("stage", "code", "message"),
    [("conv2d_1", 2, "is no NAME=HOW"), ("conv2d_1=quickly", 1, "means nothing"), ("block_99=train", 1, "no stage")],
)
def test_a_stage_that_means_nothing_is_told_on_the_command_line(few, tmp_path, stage, code, message):
    command = ["fit", "classification/tiny_cnn_m", few, "--out", str(tmp_path / "mine.zoo"), "--strategy", "mixed"]
    done = CliRunner().invoke(zoo_command, [*command, "--stage", stage])
    assert done.exit_code == code
    assert message in f"{done.output} {done.exception}"


def test_early_stopping_gives_back_the_weights_of_the_best_epoch(model, few):
    fitted = model.fit(few, strategy="full", epochs=30, learning_rate=0.02, early_stopping=2)
    losses = fitted.history["val_loss"]
    best = int(np.argmin(losses))
    assert len(losses) == best + 3 < 30
    parts = fitted.held.dataset(fitted)
    held = [list(parts)[place] for place in fitted.held.places]
    scores = [fitted.predict(example.input).scores[example.target] for example in held]
    assert -np.log(scores).mean() == pytest.approx(losses[best], rel=1e-3)


def test_an_augmentation_of_strength_0_changes_nothing(model, few):
    plain = model.fit(few, strategy="last", epochs=2)
    same = model.fit(few, strategy="last", epochs=2, augment={"flip": 0.0})
    assert same.history["loss"] == pytest.approx(plain.history["loss"], rel=1e-3)
    other = model.fit(few, strategy="last", epochs=2, augment="heavy")
    assert other.history["loss"][0] > 1.05 * plain.history["loss"][0]


def test_a_head_of_one_s_own_is_trained_on_as_it_was(model, few):
    import keras

    head = keras.Sequential([keras.layers.Dense(8, activation="relu"), keras.layers.Dense(2)])
    fitted = model.fit(few, head=head, strategy="last", epochs=1, learning_rate=1e-9)
    note = next(note for note in fitted.training.notes if "val_loss" in note)
    assert fitted.history["val_loss"][0] == pytest.approx(float(note.split()[-1]), abs=2e-4)


def test_a_batch_larger_than_the_data_is_told(model, few):
    with pytest.raises(OptionError, match="batch_size=1000 is larger than the 32 examples"):
        model.fit(few, strategy="last", batch_size=1000)
