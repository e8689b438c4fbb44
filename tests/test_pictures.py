"""Whatever holds a picture is read as what a viewer would show, and what holds none is told clearly."""

import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from zoo.errors import InputError
from zoo.inputs import picture
from zoo.pictures import decode

RED, WHITE = (255, 0, 0), (255, 255, 255)


def encoded(image, form="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def png(width, height, depth, colour, rows, *chunks):
    """A PNG as its specification writes it, for what PIL itself can't save."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in parts
    )


def is_colour(image, colour, within=0):
    pixels = np.asarray(image).astype(int)
    return image.mode == "RGB" and bool((abs(pixels - colour) <= within).all())


@pytest.fixture
def array():
    return np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)


def test_a_path_bytes_an_image_and_an_array_are_the_same_picture(array, tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(array).save(path)
    data = path.read_bytes()
    for source in (path, str(path), data, bytearray(data), memoryview(data), Image.fromarray(array), array):
        np.testing.assert_array_equal(np.asarray(picture(source)), array)


def test_arrays_are_grey_rgb_or_rgba_in_whole_numbers_or_floats(array):
    grey = array[..., 0]
    as_rgb = np.repeat(grey[..., None], 3, axis=2)
    np.testing.assert_array_equal(np.asarray(picture(grey)), as_rgb)
    np.testing.assert_array_equal(np.asarray(picture(grey[..., None])), as_rgb)
    for dtype in (np.float16, np.float32, np.float64):
        np.testing.assert_array_equal(np.asarray(picture((array / 255).astype(dtype))), array)
    assert is_colour(picture(np.zeros((2, 3, 4), np.uint8)), WHITE)
    np.testing.assert_array_equal(np.asarray(picture(array[::-1, ::2])), array[::-1, ::2])


def test_arrays_of_other_numbers_are_read_by_the_smallest_range_that_holds_them(array):
    for same in (array.astype(np.float32), array.astype(np.int64), array.astype(np.uint16) * 257):
        np.testing.assert_array_equal(np.asarray(picture(same)), array)
    black_and_white = array > 127
    np.testing.assert_array_equal(np.asarray(picture(black_and_white)), black_and_white * 255)


def test_what_turns_into_an_array_is_one(array):
    class Tensor:
        shape = array.shape

        def __array__(self, dtype=None, copy=None):
            return array

    np.testing.assert_array_equal(np.asarray(picture(Tensor())), array)


def test_a_users_own_image_is_never_changed(array):
    own = Image.fromarray(array)
    picture(own).putpixel((0, 0), (1, 2, 3))
    np.testing.assert_array_equal(np.asarray(own), array)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (np.full((2, 2, 3), 70_000.0), r"shape \(2, 2, 3\) has pixels from 70000 to 70000; scale them to 0\.\.1 or 0"),
        (np.full((2, 2), -0.5), r"has pixels from -0\.5 to -0\.5; scale them to 0\.\.1"),
        (np.full((2, 2), np.nan), "has pixels from nan to nan"),
        (np.full((2, 2), np.inf), "to inf"),
        (np.full((2, 2), -1, np.int64), r"from -1 to -1; scale them to 0\.\.255 or 0\.\.65535"),
        (np.zeros((2, 2), complex), "dtype complex128 is no picture; give uint8 in 0..255 or float in 0..1"),
        (np.array(b"text"), r"shape \(\) is no picture"),
        (np.zeros(3), r"an array of shape \(3,\) is no picture; give \[h, w\]"),
        (np.zeros((2, 2, 2)), r"shape \(2, 2, 2\)"),
        (np.zeros((1, 2, 2, 3)), r"shape \(1, 2, 2, 3\)"),
        (np.zeros((0, 2, 3), np.uint8), r"shape \(0, 2, 3\)"),
        (Image.new("RGB", (0, 4)), "no pixels, 0 x 4"),
        (Image.new("La", (1, 1)), "mode 'La' and size .* can't be read; save it as RGB"),
        ([[0, 1]], "not a list"),
        (None, "not a NoneType"),
        (7, "not a int"),
    ],
)
def test_what_is_no_picture_is_told_what_one_is(source, told):
    with pytest.raises(InputError, match=told):
        picture(source)


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr", "HSV", "RGBX"])
def test_every_colour_mode_becomes_rgb(mode):
    assert is_colour(picture(Image.new("RGB", (3, 2), WHITE).convert(mode)), WHITE, within=2)


@pytest.mark.parametrize("mode", ["LA", "RGBA", "PA", "RGBa"])
def test_transparency_is_laid_on_white(mode):
    assert is_colour(picture(Image.new("RGBA", (3, 2), (0, 0, 0, 0)).convert(mode)), WHITE)
    assert is_colour(picture(Image.new("RGBA", (3, 2), (255, 0, 0, 51))), (255, 204, 204))


def test_transparency_of_palettes_and_single_colours_is_laid_on_white():
    drawn = Image.new("P", (2, 1))
    drawn.putpalette([255, 0, 0, 0, 255, 0])
    drawn.putpixel((1, 0), 1)
    for transparency in (1, b"\xff\x00"):
        found = picture(encoded(drawn, transparency=transparency))
        assert [found.getpixel((x, 0)) for x in (0, 1)] == [RED, WHITE]
    for mode, colour in (("1", 0), ("L", 7), ("RGB", (1, 2, 3))):
        assert is_colour(picture(encoded(Image.new(mode, (2, 2), colour), transparency=colour)), WHITE)


def test_sixteen_bits_are_scaled_and_not_clipped():
    values = np.array([[0, 256, 32768, 65535]], np.uint16)
    for form in ("PNG", "TIFF"):
        found = np.asarray(picture(encoded(Image.fromarray(values), form)))
        np.testing.assert_array_equal(found[0, :, 0], [0, 1, 128, 255])
    samples = struct.pack(">x6H", 0, 32768, 65535, 65535, 0, 256)
    np.testing.assert_array_equal(np.asarray(picture(png(2, 1, 16, 2, samples)))[0], [[0, 128, 255], [255, 0, 1]])
    assert is_colour(picture(png(1, 1, 16, 4, struct.pack(">x2H", 32768, 65535))), (128,) * 3)


@pytest.mark.parametrize(("values", "expected"), [([0, 0.5, 1], [0, 128, 255]), ([0, 128, 255], [0, 128, 255])])
def test_pixels_of_32_bits_are_taken_in_the_smallest_range_that_holds_them(values, expected):
    for form in ("TIFF", None):
        image = Image.fromarray(np.array([values], np.float32))
        found = picture(encoded(image, form) if form else image)
        assert [found.getpixel((x, 0))[0] for x in range(3)] == expected
    assert picture(Image.fromarray(np.array([[0, 65535]], np.int32))).getpixel((1, 0)) == WHITE
    for outside in (-1.0, 70000.0, np.nan):
        with pytest.raises(InputError, match="scale them to"):
            picture(Image.fromarray(np.array([[0, outside]], np.float32)))


def test_cmyk_jpegs_are_read_as_inks():
    inks = encoded(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=95)
    assert is_colour(picture(inks), RED, within=3)
    # As YCCK: (76, 85, 255) is how YCbCr writes red, that is cyan ink alone. The file holds inks inverted.
    ycck = bytearray(encoded(Image.new("CMYK", (16, 16), (255 - 76, 255 - 85, 255 - 255, 0)), "JPEG", quality=95))
    ycck[ycck.index(b"Adobe") + 11] = 2
    assert is_colour(picture(bytes(ycck)), (0, 255, 255), within=3)


# EXIF: where the corner that is stored at the top left is shown, and where the one stored at the top right is.
CORNERS = {1: "tl tr", 2: "tr tl", 3: "br bl", 4: "bl br", 5: "tl bl", 6: "tr br", 7: "br tr", 8: "bl tl"}


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "MPO"])
@pytest.mark.parametrize("orientation", CORNERS)
def test_a_picture_is_turned_upright_as_its_exif_says(form, orientation):
    stored = Image.new("RGB", (64, 32), "black")
    stored.paste((255, 0, 0), (0, 0, 16, 16))
    stored.paste((0, 0, 255), (48, 0, 64, 16))
    exif = Image.Exif()
    exif[0x0112] = orientation
    several = {"save_all": True, "append_images": [stored]} if form == "MPO" else {}
    found = decode(encoded(stored, form, exif=exif, **several))
    width, height = (32, 64) if orientation > 4 else (64, 32)
    assert found.size == found.image.size == (width, height)
    corners = {"tl": (5, 5), "tr": (width - 6, 5), "bl": (5, height - 6), "br": (width - 6, height - 6)}
    red, blue = (found.image.getpixel(corners[corner]) for corner in CORNERS[orientation].split())
    assert red[0] > 150 > 100 > red[2]
    assert blue[2] > 150 > 100 > blue[0]
    np.testing.assert_array_equal(np.asarray(picture(found.image)), np.asarray(found.image))  # and never turned twice


@pytest.mark.parametrize("exif", [b"Exif\0\0", b"Exif\0\0garbage", b"Exif\0\0MM\0*\0\0\0\x08\0\x09\x01\x12\0\x03"])
def test_broken_exif_is_no_matter(exif):
    assert is_colour(picture(encoded(Image.new("RGB", (4, 4), WHITE), "JPEG", exif=exif)), WHITE)


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_an_animation_the_first_frame_is_taken(form):
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "lime", "blue")]
    assert is_colour(picture(encoded(frames[0], form, save_all=True, append_images=frames[1:])), RED, within=2)


def test_a_missing_file_a_folder_and_an_empty_one_are_named(tmp_path):
    (tmp_path / "empty.png").touch()
    for name, told in (("no.png", "there is no picture"), (".", "is a folder"), ("empty.png", "is empty")):
        path = str(tmp_path / name)
        with pytest.raises(InputError, match=told) as error:
            picture(path)
        assert repr(path) in str(error.value)
    with pytest.raises(InputError, match="can't be read"):
        picture("null\0byte.png")
    with pytest.raises(InputError, match="0 bytes is empty"):
        picture(b"")


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"])
def test_a_truncated_picture_is_never_shown_in_part(form, tmp_path, array):
    path = tmp_path / "cut"
    data = encoded(Image.fromarray(np.tile(array, (20, 20, 1))), form)
    for length in (4, 30, len(data) // 2, len(data) * 9 // 10):
        path.write_bytes(data[:length])
        with pytest.raises(InputError, match=r"/cut' is (no picture that can be read|truncated or broken)"):
            picture(path)


def test_text_is_no_picture(tmp_path):
    (tmp_path / "a.jpg").write_text("no picture at all")
    with pytest.raises(InputError, match=r"a\.jpg' is no picture that can be read; make it one of JPEG"):
        picture(tmp_path / "a.jpg")


def test_an_enormous_picture_is_told_with_its_pixels_and_the_limit():
    with pytest.raises(InputError, match=r"has 900,000,000 pixels, over the limit of 178,956,970; make it smaller"):
        picture(png(30_000, 30_000, 8, 2, b""))


def test_what_pil_warns_of_escapes_neither_as_warning_nor_as_error():
    before = list(warnings.filters)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(InputError, match="truncated"):  # over half of PIL's limit, at which it warns
            picture(png(90_000, 1_000, 8, 0, b""))
    assert caught == []
    # Chunk acTL says that it is an animation of no frames: PIL warns, and shows the picture.
    assert is_colour(picture(png(1, 1, 8, 2, b"\0\xff\xff\xff", (b"acTL", bytes(8)))), WHITE)
    assert warnings.filters == before


@pytest.mark.parametrize("size", [(641, 427), (101, 999), (64, 64), (17, 16)])
@pytest.mark.parametrize(("form", "orientation"), [("JPEG", 1), ("JPEG", 6), ("JPEG", 3), ("MPO", 6)])
def test_a_jpeg_is_decoded_smaller_only_as_far_as_can_be_spared(size, form, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    several = {"save_all": True, "append_images": [Image.new("RGB", size)]} if form == "MPO" else {}
    data = encoded(Image.new("RGB", size), form, exif=exif, **several)
    for spare, shrink in ((0.5, 1), (1.99, 1), (2, 2), (3.99, 2), (4, 4), (7.9, 4), (8, 8), (100, 8)):
        found = decode(data, lambda width, height, spare=spare: spare)
        assert found.shrink == shrink
        assert found.size == (size[::-1] if orientation == 6 else size)
        assert found.image.size == tuple(-(-side // shrink) for side in found.size)
    assert decode(encoded(Image.new("RGB", size)), lambda width, height: 8).shrink == 1


def test_postscript_is_no_picture_for_reading_it_would_run_it():
    page = io.BytesIO()
    Image.new("RGB", (4, 4)).save(page, "EPS")
    with pytest.raises(InputError, match="no picture that can be read"):
        picture(page.getvalue())
