"""An archive is unpacked whole inside its folder, or refused by the name of the member that is wrong."""

import gzip
import io
import tarfile
import tracemalloc

import pytest

from zoo.archives import Limits, is_archive, unpack, unpacked_size
from zoo.errors import ArchiveError, WeightsError


def member(name: str, content: bytes = b"x", **facts: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for fact, value in facts.items():
        setattr(info, fact, value)
    return info, content


def archive(*members: tuple[tarfile.TarInfo, bytes], mode: str = "w:gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def unpacked(tmp_path):
    """Unpacks the given bytes and returns the folder; nothing may ever appear beside it."""
    file, folder = tmp_path / "in.tar.gz", tmp_path / "out"
    folder.mkdir()

    def run(content: bytes, limits: Limits | None = None):
        file.write_bytes(content)
        try:
            unpack(file, folder, limits)
        finally:
            assert sorted(tmp_path.iterdir()) == [file, folder]
        return folder

    return run


HARMLESS = (member("./saved_model.pb", b"graph"), member("./variables/variables.index", b"i" * 1024))


@pytest.mark.parametrize("mode", ["w:gz", "w"])
def test_files_come_out_as_they_went_in(unpacked, mode):
    folder = unpacked(archive(member(".", b"", type=tarfile.DIRTYPE), *HARMLESS, mode=mode))
    assert (folder / "saved_model.pb").read_bytes() == b"graph"
    assert (folder / "variables" / "variables.index").read_bytes() == b"i" * 1024


def test_owners_and_permissions_stay_outside(unpacked):
    folder = unpacked(archive(member("tool", mode=0o6777, uid=12345)))
    assert (folder / "tool").stat().st_mode & 0o7111 == 0
    assert (folder / "tool").stat().st_uid == folder.stat().st_uid


HOSTILE = {
    "absolute": (member("/tmp/zoo-escaped"), "absolute"),
    "windows drive": (member("C:\\zoo-escaped"), "absolute"),
    "windows share": (member("\\\\host\\share\\escaped"), "absolute"),
    "climbing": (member("../escaped"), r"'\.\.'"),
    "climbing inside": (member("variables/../../escaped"), r"'\.\.'"),
    "climbing by backslash": (member("variables\\..\\..\\escaped"), r"'\.\.'"),
    "symbolic link": (member("escaped", b"", type=tarfile.SYMTYPE, linkname="/etc/passwd"), "link to '/etc/passwd'"),
    "link within": (member("escaped", b"", type=tarfile.SYMTYPE, linkname="saved_model.pb"), "link"),
    "hard link": (member("escaped", b"", type=tarfile.LNKTYPE, linkname="../outside"), "link"),
    "pipe": (member("escaped", b"", type=tarfile.FIFOTYPE), "neither a plain file"),
    "character device": (member("escaped", b"", type=tarfile.CHRTYPE, devmajor=1, devminor=5), "neither a plain file"),
    "block device": (member("escaped", b"", type=tarfile.BLKTYPE, devmajor=8), "neither a plain file"),
    "same name twice": (member("saved_model.pb", b"other"), "clashes"),
    "file as folder": (member("saved_model.pb/escaped"), "clashes"),
    "endless name": (member("escaped" * 100), "too long a name"),
}


@pytest.mark.parametrize("form", HOSTILE)
def test_a_hostile_member_is_refused_by_its_name(unpacked, form):
    bad, said = HOSTILE[form]
    with pytest.raises(ArchiveError, match=said) as caught:
        unpacked(archive(*HARMLESS, bad))
    assert repr(bad[0].name)[1:-1][:50] in str(caught.value)


def test_a_link_is_refused_before_anything_is_written_through_it(unpacked, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    link = member("variables", b"", type=tarfile.SYMTYPE, linkname=str(outside))
    with pytest.raises(ArchiveError, match="'variables' is a link"):
        unpacked(archive(link, member("variables/escaped")))
    assert list(outside.iterdir()) == []


def test_more_members_than_the_limit_are_refused(unpacked):
    many = [member(f"file{number}") for number in range(4)]
    with pytest.raises(ArchiveError, match="'file3' is one member too many: more than 3"):
        unpacked(archive(*many), Limits(files=3))


def test_more_bytes_than_the_limit_are_refused_before_they_are_written(unpacked, tmp_path):
    with pytest.raises(ArchiveError, match="'big' makes it 1,005 bytes unpacked, more than 1,004"):
        unpacked(archive(member("small", b"small"), member("big", b"b" * 1000)), Limits(size=1004))
    assert not (tmp_path / "out" / "big").exists()


def test_a_bomb_is_refused_by_how_much_it_swells(unpacked):
    bomb = archive(member("bomb", bytes(1_000_000)))
    with pytest.raises(ArchiveError, match="'bomb' makes it 1,000,000 bytes"):
        unpacked(bomb, Limits(ratio=100, harmless=10_000))


def test_a_header_that_claims_gigabytes_takes_no_memory(unpacked):
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 3 << 30
    tracemalloc.start()
    try:
        with pytest.raises(ArchiveError, match="a header of 3,221,22"):
            unpacked(gzip.compress(header.tobuf() + bytes(4 << 20)))
        assert tracemalloc.get_traced_memory()[1] < 32 << 20
    finally:
        tracemalloc.stop()


def test_headers_that_only_announce_headers_end(unpacked):
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 4
    with pytest.raises(ArchiveError, match="damaged"):
        unpacked(gzip.compress((header.tobuf() + b"name".ljust(512, b"\0")) * 5000))


def test_a_negative_size_is_refused(unpacked):
    header = bytearray(tarfile.TarInfo("odd").tobuf())
    header[124:136] = b"\xff" * 11 + b"\x00"  # base 256: -256
    header[148:156] = b"%06o\0 " % (sum(header[:148]) + 8 * 32 + sum(header[156:]))
    with pytest.raises(ArchiveError, match="'odd' claims -256 bytes"):
        unpacked(bytes(header) + bytes(1024))


@pytest.mark.parametrize("kept", [0.3, 0.9, 0.999])
def test_a_cut_archive_is_refused(unpacked, kept):
    import random

    whole = archive(*HARMLESS, member("variables/data", random.Random(7).randbytes(100_000)))
    with pytest.raises(ArchiveError, match="cut or damaged"):
        unpacked(whole[: int(len(whole) * kept)])


def test_a_damaged_byte_is_noticed_by_the_check_sum(unpacked):
    whole = bytearray(archive(*HARMLESS))
    whole[-5] ^= 0xFF  # the check sum itself, after the last member
    with pytest.raises(ArchiveError, match="damaged"):
        unpacked(bytes(whole))


def test_a_damaged_header_in_the_middle_is_not_taken_for_the_end(unpacked):
    plain = bytearray(archive(*HARMLESS, mode="w"))
    plain[1024:1100] = b"?" * 76
    with pytest.raises(ArchiveError, match=r"damaged at byte 1,024"):
        unpacked(bytes(plain))


def test_a_page_of_html_is_no_archive(tmp_path):
    page, packed = tmp_path / "page", tmp_path / "packed"
    page.write_bytes(b"<!DOCTYPE html>" + b" " * 5000)
    packed.write_bytes(archive(*HARMLESS))
    assert (is_archive(page), is_archive(packed)) == (False, True)
    with pytest.raises(ArchiveError, match="cut or damaged"):
        unpacked_size(page)


def test_a_full_disk_says_how_much_the_archive_needs(tmp_path):
    import subprocess
    import sys

    (tmp_path / "in.tar.gz").write_bytes(archive(member("small", b"s"), member("big", bytes(300_000)), member("more")))
    (tmp_path / "out").mkdir()
    script = """
import pathlib, resource, sys
from zoo.archives import unpack
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
unpack(pathlib.Path("in.tar.gz"), pathlib.Path("out"))
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert f"{WeightsError.__name__}: 300,002 bytes or more have no room in 'out'" in done.stderr
