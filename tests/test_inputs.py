"""Pictures and texts become what a network's spec says, in order, several at a time, and nothing is lost."""

import io
import itertools
import os
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zoo.errors import InputError
from zoo.inputs import prepare, prepare_all, sample_inputs
from zoo.pictures import decode
from zoo.specs import ImageInput, TextInput

TEXT = TextInput()


def jpeg(array, **options):
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "JPEG", **options)
    return stream.getvalue()


def smooth(width, height):
    """Colours that change evenly over the picture: red from left to right, green from top to bottom."""
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return np.stack([x, y, np.full_like(x, 90)], axis=-1).round().astype(np.uint8)


@pytest.fixture
def array():
    return np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def test_pixels_are_scaled_to_the_range(array):
    for low, high in ((0, 1), (-1, 1), (0, 255), (2, 5)):
        value = prepare(array, ImageInput(range=(low, high))).value
        assert (value.dtype, value.shape) == (np.float32, (20, 30, 3))
        np.testing.assert_allclose(value, low + array / 255 * (high - low), atol=1e-4)


def test_black_and_white_are_the_exact_ends_of_the_range():
    ends = np.array([[0, 255]], np.uint8)
    for low, high in ((0, 1), (-1, 1), (0, 255)):
        assert prepare(ends, ImageInput(range=(low, high))).value[0, :, 0].tolist() == [low, high]


def test_a_range_that_is_unstated_is_0_to_1(array):
    stated = prepare(array, ImageInput(range=(0, 1))).value
    np.testing.assert_array_equal(prepare(array, ImageInput(range=None)).value, stated)


def test_mean_and_std_follow_in_units_of_the_range_and_in_the_order_of_the_channels(array):
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    value = prepare(array, ImageInput(mean=mean, std=std)).value
    np.testing.assert_allclose(value, (array / 255 - mean) / std, atol=1e-5)
    caffe = prepare(array, ImageInput(range=(0, 255), mean=(103.939, 116.779, 123.68), channels="bgr")).value
    np.testing.assert_allclose(caffe, array[..., ::-1] - [103.939, 116.779, 123.68], atol=1e-4)
    single = prepare(array, ImageInput(mean=(0.5,), std=(0.5,))).value
    np.testing.assert_allclose(single, array / 127.5 - 1, atol=1e-5)


def test_grey_is_one_channel_of_brightness(array):
    value = prepare(array, ImageInput(channels="grey", range=(0, 255))).value
    assert value.shape == (20, 30, 1)
    np.testing.assert_allclose(value[..., 0], array @ [0.299, 0.587, 0.114], atol=0.51)


@pytest.mark.parametrize("channels", ["rgb", "bgr", "grey"])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_values_are_whole_arrays_of_their_own(array, channels, dtype):
    value = prepare(array, ImageInput(dtype=dtype, channels=channels)).value
    assert value.dtype == dtype
    assert value.flags.c_contiguous
    assert value.flags.writeable


def test_whole_numbers_are_the_pixels_themselves(array):
    np.testing.assert_array_equal(prepare(array, ImageInput(dtype="uint8")).value, array)
    np.testing.assert_array_equal(prepare(array, ImageInput(dtype="uint8", channels="bgr")).value, array[..., ::-1])


def test_crop_takes_the_centre_square_of_a_share_of_the_short_side(array):
    spec = ImageInput(size=(10, 10), crop=0.5, dtype="uint8")
    prepared = prepare(array, spec)
    assert (prepared.size, prepared.window) == ((30, 20), (10, 5, 20, 15))
    np.testing.assert_array_equal(prepared.value, array[5:15, 10:20])
    tiny = prepare(array[:1, :1], spec)
    assert tiny.window == (0, 0, 1, 1)
    assert (tiny.value == array[0, 0]).all()


def test_stretch_shows_the_whole_picture():
    prepared = prepare(smooth(60, 20), ImageInput(size=(40, 30), resize="stretch", dtype="uint8"))
    assert (prepared.size, prepared.window) == ((60, 20), (0, 0, 60, 20))
    assert abs(prepared.value.astype(int) - smooth(30, 40)).max() <= 6


@pytest.mark.parametrize(("width", "height"), [(60, 20), (20, 60), (7, 7)])
def test_pad_keeps_the_shape_and_is_black_right_or_below(width, height):
    plain = np.full((height, width, 3), 200, np.uint8)
    prepared = prepare(plain, ImageInput(size=(24, 30), resize="pad", dtype="uint8"))
    shrink = max(width / 30, height / 24)
    assert prepared.size == (width, height)
    assert prepared.window == pytest.approx((0, 0, 30 * shrink, 24 * shrink))
    shown = np.zeros((24, 30, 3), np.uint8)
    shown[: round(height / shrink), : round(width / shrink)] = 200
    np.testing.assert_array_equal(prepared.value, shown)


def test_padding_is_black_before_it_is_normalised():
    spec = ImageInput(size=(4, 4), resize="pad", range=(-1, 1), mean=(0.5, 0.25, 0), std=(2, 1, 1))
    np.testing.assert_allclose(prepare(np.zeros((4, 2), np.uint8), spec).value[0, 3], [-0.75, -1.25, -1])


def test_none_leaves_the_size_alone(array):
    prepared = prepare(array, ImageInput(dtype="uint8"))
    assert (prepared.size, prepared.window) == ((30, 20), (0, 0, 30, 20))
    fixed = ImageInput(size=(20, 30), resize="none", dtype="uint8")
    np.testing.assert_array_equal(prepare(array, fixed).value, array)
    with pytest.raises(InputError, match="is 20 x 30 pixels, the network takes 30 x 20 and resizes nothing"):
        prepare(array.transpose(1, 0, 2), fixed)


def test_the_interpolation_is_that_of_the_spec():
    edge = np.zeros((1, 8), np.uint8)
    edge[:, 4:] = 255
    seen = {
        name: prepare(edge, ImageInput(size=(1, 32), resize="stretch", interpolation=name, dtype="uint8")).value
        for name in ("nearest", "bilinear", "bicubic", "lanczos")
    }
    assert set(seen["nearest"].ravel()) == {0, 255}
    assert len({value.tobytes() for value in seen.values()}) == 4


def test_the_source_is_kept(array, tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(array).save(path)
    assert prepare(path, ImageInput()).source == path


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("resize", ["crop", "stretch", "pad"])
@pytest.mark.parametrize("size", [(1001, 701), (515, 900)])
def test_a_jpeg_decoded_smaller_shows_the_same_as_in_full(size, resize, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    source = jpeg(smooth(*size), quality=95, exif=exif)
    spec = ImageInput(size=(48, 64), resize=resize, dtype="uint8")
    fast, full = prepare(source, spec), prepare(decode(source).image, spec)
    assert (fast.size, fast.window) == (full.size, full.window)
    difference = abs(fast.value.astype(int) - full.value)
    if resize == "pad":  # where the picture ends, black and colour mix in different shares
        difference = difference[:45, :30]
    assert difference.max() <= 3


@pytest.mark.parametrize(
    "spec",
    [
        ImageInput(),
        ImageInput(size=(64, 32), resize="crop", crop=0.5),
        ImageInput(size=(64, 32), resize="stretch"),
        ImageInput(size=(64, 32), resize="pad"),
        ImageInput(size=(64, 32), resize="stretch", interpolation="nearest"),
    ],
)
@pytest.mark.parametrize("size", [(2000, 1000), (1000, 2000), (511, 512), (100, 60), (1024, 255)])
def test_a_jpeg_is_never_decoded_to_less_than_twice_its_target(spec, size, monkeypatch):
    taken = []

    def watched(source, spare):
        taken.append(decode(source, spare))
        return taken[0]

    monkeypatch.setattr("zoo.inputs.decode", watched)
    prepare(jpeg(smooth(*size)), spec)
    kept = max(size) if spec.resize == "pad" else min(size) * (spec.crop if spec.resize == "crop" else 1)
    draftable = spec.size is not None and spec.interpolation != "nearest"
    assert taken[0].shrink == max(power for power in (1, 2, 4, 8) if power == 1 or (draftable and kept / power >= 128))


@pytest.mark.assets
def test_real_photographs_look_the_same_decoded_smaller(assets):
    spec = ImageInput(size=(32, 32), range=(0, 255))
    differences, shrunk = [], 0
    for path in sorted((assets / "data" / "flowers_600").rglob("*.jpg"))[::12]:
        shrunk += decode(path, lambda width, height: min(width, height) * 0.875 / 64).shrink > 1
        differences.append(abs(prepare(path, spec).value - prepare(decode(path).image, spec).value).mean())
    assert shrunk == len(differences) == 50
    assert np.mean(differences) < 1
    assert max(differences) < 2


def test_text_is_str_or_utf8_and_may_be_empty():
    for source, text in (("Zoë", "Zoë"), ("Zoë".encode(), "Zoë"), (bytearray(b"a"), "a"), ("", ""), (b"", "")):
        prepared = prepare(source, TEXT)
        assert (prepared.value, prepared.source, prepared.size) == (text, source, (0, 0))
    long = "word " * 100_000
    assert prepare(long, TEXT).value == long
    assert type(prepare(np.array(["a"])[0], TEXT).value) is str


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (b"caf\xe9", r"b'caf\\xe9' is not UTF-8 \(byte 3\)"),
        ("caf\udce9", r"is not valid Unicode \(character 3\)"),
        (Path("notes.txt"), "read the file 'notes.txt' first"),
        (7, "not a int: '7'"),
        (None, "not a NoneType"),
        (["a"], "not a list"),
    ],
)
def test_what_is_no_text_is_told_what_one_is(source, told):
    with pytest.raises(InputError, match=told):
        prepare(source, TEXT)


@pytest.fixture
def small():
    return ImageInput(size=(4, 4), dtype="uint8")


@pytest.mark.parametrize("workers", [None, 1, 2, 7])
def test_all_come_in_order_and_an_error_in_its_place(small, workers):
    sources = [jpeg(np.full((8 + index * 9, 8, 3), index, np.uint8)) for index in range(90)]
    sources[13] = b"broken"
    found = list(prepare_all(sources, small, workers=workers))
    assert isinstance(found.pop(13), InputError)
    levels = [round(item.value.mean()) for item in found]
    assert levels == [index for index in range(90) if index != 13]
    assert list(prepare_all([], small)) == []
    assert [getattr(item, "value", None) for item in prepare_all(["a", b"\xff", ""], TEXT)] == ["a", None, ""]


@pytest.mark.parametrize("spec", [ImageInput(size=(4, 4)), ImageInput(), TEXT])
def test_only_a_few_of_endless_sources_are_taken_ahead(spec):
    taken = itertools.count(1)
    source = "a" if spec is TEXT else np.zeros((8, 8), np.uint8)
    endless = (source for _ in taken)
    with closing(prepare_all(endless, spec, workers=2)) as prepared:
        assert len(list(itertools.islice(prepared, 10))) == 10
    assert next(taken) <= 10 + 2 * 8 + 1


def test_what_is_ready_does_not_wait_for_slow_sources(small):
    taken = []

    def camera():
        for index in range(4):
            taken.append(index)
            yield np.zeros((8, 8), np.uint8)
            time.sleep(0.2)

    with closing(prepare_all(camera(), small, workers=2)) as prepared:
        next(prepared)
        assert len(taken) < 4


@pytest.mark.parametrize("end", ["closed", "dropped", "failed"])
def test_threads_end_with_their_generator(small, end):
    def sources():
        yield from itertools.repeat(np.zeros((64, 64, 3), np.uint8), 30)
        raise OSError("the source is gone")

    prepared = prepare_all(sources(), small, workers=3)
    next(prepared)
    assert any("zoo-decode" in thread.name for thread in threading.enumerate())
    if end == "closed":
        prepared.close()
    elif end == "failed":
        with pytest.raises(OSError, match="gone"):
            list(prepared)
    del prepared
    assert not any("zoo-decode" in thread.name for thread in threading.enumerate())


def test_samples_are_real_and_found_without_importing_scikit_learn():
    program = (
        "import sys; from zoo.inputs import sample_inputs; print(*sample_inputs('image'), sep='\\n');"
        "assert not {'sklearn', 'tensorflow', 'scipy'} & set(sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    paths = out.splitlines()
    assert [os.path.basename(path) for path in paths] == ["china.jpg", "flower.jpg"]
    assert all(prepare(path, ImageInput(size=(224, 224))).size == (640, 427) for path in paths)
    texts = sample_inputs("text")
    assert len(set(texts)) >= 8
    assert [prepare(text, TEXT).value for text in texts] == texts
    with pytest.raises(InputError, match="no sample inputs of kind 'sound'"):
        sample_inputs("sound")
