"""Augmentation: named operations that do what they say, views whose features are kept, layers of one's own."""

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from trained import pictures

import zoo
from zoo.cli import zoo as command
from zoo.dataset import DatasetOptions, open_dataset
from zoo.errors import OptionError
from zoo.plugins import installed
from zoo.transfer.augmentation import OPERATIONS, PRESETS, augmentation
from zoo.transfer.views import Views, preview

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture(scope="module")
def model():
    return zoo.get("classification", "tiny_cnn_s")


@pytest.fixture
def digits(tmp_path):
    return pictures(tmp_path / "data", naught=(0, 12), one=(1, 12))


def opened(folder):
    return open_dataset(f"folder:{folder}", DatasetOptions(modality="image", targets="class"), installed())


def picture(seed=0):
    """A smooth picture, so that resampling changes little by itself."""
    small = np.random.default_rng(seed).integers(60, 200, (4, 5, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((50, 40), Image.Resampling.BICUBIC))


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_changes_pictures_but_not_their_form(name):
    batch = np.stack([picture(0), picture(1)])
    strength = {"rotate": 30.0, "flip": 1.0}.get(name, 0.4)
    changed = augmentation({name: strength})(batch, 3)
    assert (changed.shape, changed.dtype) == (batch.shape, np.uint8)
    assert np.abs(changed.astype(int) - batch).mean() > 1


def test_strength_naught_changes_nothing():
    batch = picture()[None]
    np.testing.assert_array_equal(augmentation(dict.fromkeys(OPERATIONS, 0))(batch, 1), batch)


def test_a_flip_is_the_mirror_image():
    changed = augmentation({"flip": 1.0})(picture()[None], 0)[0]
    np.testing.assert_allclose(changed.astype(int), picture()[:, ::-1].astype(int), atol=1)


def test_a_rotation_turns_about_the_centre():
    marked = np.zeros((41, 41, 3), np.uint8)
    marked[19:22, 25:28] = 255  # right of the centre
    angles = []
    for seed in range(40):
        rows, columns = np.nonzero(augmentation({"rotate": 60.0})(marked[None], seed)[0, :, :, 0] > 128)
        angles.append(np.degrees(np.arctan2(rows.mean() - 20, columns.mean() - 20)))
        assert np.hypot(rows.mean() - 20, columns.mean() - 20) == pytest.approx(6, abs=0.5)
    assert -70 < min(angles) < -30
    assert 30 < max(angles) < 70


def test_brightness_and_contrast_are_what_they_are_called():
    flat = np.full((1, 6, 6, 3), 100, np.uint8)
    lifts = [int(augmentation({"brightness": 0.2})(flat, seed)[0, 0, 0, 0]) - 100 for seed in range(60)]
    assert -51 <= min(lifts) < -30 < 30 < max(lifts) <= 51
    spreads = [augmentation({"contrast": 0.5})(picture()[None], seed).std() / picture().std() for seed in range(60)]
    assert 0.49 <= min(spreads) < 0.7 < 1.3 < max(spreads) <= 1.51


def test_the_same_seed_gives_the_same_views(digits):
    make = [list(Views(opened(digits), augmentation("heavy"), 2, seed)) for seed in (1, 1, 2)]
    assert len(make[0]) == 48
    assert all((a.input == b.input).all() for a, b in zip(make[0], make[1], strict=True))
    assert any((a.input != b.input).any() for a, b in zip(make[0], make[2], strict=True))
    assert (make[0][0].input != make[0][1].input).any()


def test_stronger_presets_change_more():
    plain, changes = picture().astype(int), []
    for name in PRESETS:
        made = augmentation(name)
        views = [made(picture()[None], seed)[0] if made else plain for seed in range(20)]
        changes.append(np.mean([np.abs(view - plain).mean() for view in views]))
    assert changes == sorted(changes)
    assert changes[0] == 0


def test_views_pass_the_backbone_once(model, digits, monkeypatch):
    first = model.fit(f"folder:{digits}", augment="light", views=2)
    assert (first.training.examples, first.training.validation) == (19, 5)
    fresh = zoo.get("classification", "tiny_cnn_s")
    monkeypatch.setattr(fresh, "outputs", lambda *_: pytest.fail("the backbone ran again"))
    assert fresh.fit(f"folder:{digits}", augment="light", views=2).history == first.history
    assert fresh.fit(f"folder:{digits}").history != first.history
    with pytest.raises(pytest.fail.Exception, match="ran again"):
        fresh.fit(f"folder:{digits}", augment="light", views=2, seed=1)
    with pytest.raises(pytest.fail.Exception, match="ran again"):
        fresh.fit(f"folder:{digits}", augment="medium", views=2)


def test_views_of_what_can_not_be_read_are_left_out(model, digits):
    (digits / "naught" / "00.png").write_bytes(b"no picture")
    fitted = model.fit(f"folder:{digits}", augment="light", views=2)
    assert [failed.input.rpartition("/")[2] for failed in fitted.failed] == ["00.png"]
    assert fitted.history["val_accuracy"][-1] > 0.7


def test_views_are_of_their_own_example(model, digits):
    """Views that change nothing weigh the same examples more, which a head without a penalty does not notice."""
    plain = model.fit(f"folder:{digits}", c=1.0)
    same = model.fit(f"folder:{digits}", c=0.25, augment={"flip": 0.0}, views=3)
    assert same.history["val_loss"] == pytest.approx(plain.history["val_loss"], rel=0.02)


def test_folds_see_views_of_their_training_part_alone(model, digits):
    found = model.cross_validate(f"folder:{digits}", folds=3, augment="light", views=2)
    assert found["accuracy"] > 0.8


def test_layers_of_ones_own_are_taken(model, digits):
    import keras

    made = augmentation([keras.layers.RandomFlip("horizontal"), keras.layers.RandomBrightness(0.3, (0, 255))])
    batch = np.stack([picture()] * 8)
    once, again, other = (made(batch, seed) for seed in (1, 1, 2))
    assert once.dtype == np.uint8
    assert (once == again).all()
    assert (once != other).any()
    assert model.fit(f"folder:{digits}", augment=keras.layers.RandomFlip(), views=1).training.examples == 19


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("strong", "no augmentation 'strong'; there are 'none', 'light'"),
        ({"turn": 3}, "no operation 'turn'; there are 'crop'"),
        ({"crop": 2}, "crop=2 means nothing; it is the share of each side"),
        (3, "augment=3 means nothing"),
    ],
)
def test_what_is_no_augmentation_is_told(wanted, message):
    with pytest.raises(OptionError, match=message):
        augmentation(wanted)


def test_texts_are_not_augmented(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("text,label\n" + "".join(f"text {n},{'ab'[n % 2]}\n" for n in range(20)))
    with pytest.raises(OptionError, match=r"pictures are augmented; .* has text examples"):
        zoo.get("classification", "tiny_text_s").fit(f"csv:{table}", augment="light")


def test_a_preview_shows_each_picture_beside_its_views(digits, tmp_path):
    with Image.open(preview(opened(digits), augmentation("medium"), tmp_path / "p.png", views=3)) as sheet:
        pixels = np.asarray(sheet).astype(int)
    first, second = pixels[26:170, 6:150], pixels[26:170, 156:300]
    assert np.abs(first - second).mean() > 3


def test_augment_and_preview_on_the_command_line(digits, tmp_path):
    fit = ["fit", "classification/tiny_cnn_s", f"folder:{digits}", "--folds", "2", "--preview", str(tmp_path / "p.png")]
    assert CliRunner().invoke(command, fit).exit_code == 2
    done = CliRunner().invoke(command, [*fit, "--augment", "light", "--views", "1"])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "p.png").stat().st_size > 1000
