"""Archives as they are found, and as somebody who means harm makes them."""

from __future__ import annotations

import hashlib
import io
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from bench.download.archive import unpack
from bench.errors import BenchError


def make_zip(path: Path, *members: tuple[str, bytes], mode: int = 0) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members:
            member = zipfile.ZipInfo(name)
            member.external_attr = mode << 16
            archive.writestr(member, content)
    return path


def make_tar(path: Path, *members: tuple[str, bytes], kind: bytes = tarfile.REGTYPE, link: str = "") -> Path:
    with tarfile.open(path, "w:bz2") as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size, member.type, member.linkname = len(content) if kind == tarfile.REGTYPE else 0, kind, link
            archive.addfile(member, io.BytesIO(content))
    return path


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_files_come_with_their_hashes_and_litter_does_not(make, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    members = [("a/b.jpg", b"one"), ("c.txt", b"two"), ("__MACOSX/a/._b.jpg", b"-"), ("a/.DS_Store", b"-")]
    hashes = unpack(make(tmp_path / "x", *members), tmp_path / "out")
    assert hashes == {name: hashlib.sha256(content).hexdigest() for name, content in members[:2]}
    assert {p.relative_to(tmp_path / "out").as_posix(): p.read_bytes() for p in (tmp_path / "out").rglob("*.*")} == {
        "a/b.jpg": b"one",
        "c.txt": b"two",
    }


@pytest.mark.parametrize("make", [make_zip, make_tar])
@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/evil", "C:\\evil", "..\\evil", "\\\\host\\evil"])
def test_a_path_that_leads_out_is_refused(make, name: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "in").mkdir()
    with pytest.raises(BenchError, match=r"points outside it. For safety, it is not unpacked"):
        unpack(make(tmp_path / "x", ("good", b"1"), (name, b"2")), tmp_path / "in" / "out")
    assert not list(tmp_path.rglob("*evil*"))
    assert not Path("/evil").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_a_link_or_a_device_in_a_tar_is_refused(kind: bytes, tmp_path: Path) -> None:
    archive = make_tar(tmp_path / "x", ("inner", b""), kind=kind, link="/etc")
    with pytest.raises(BenchError, match=r"has a link or a device \(inner\)"):
        unpack(archive, tmp_path / "out")
    assert not (tmp_path / "out" / "inner").exists()


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "x", ("inner", b"/etc"), mode=stat.S_IFLNK | 0o777)
    with pytest.raises(BenchError, match=r"has a link or a device \(inner\)"):
        unpack(archive, tmp_path / "out")


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_one_path_twice_is_refused(make, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    with pytest.warns(UserWarning, match="Duplicate") if make is make_zip else pytest.MonkeyPatch.context():
        archive = make(tmp_path / "x", ("a", b"1"), ("a", b"2"))
    with pytest.raises(BenchError, match="has the path a twice"):
        unpack(archive, tmp_path / "out")


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_a_damaged_archive_is_noticed(make, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = make(tmp_path / "x", ("a", bytes(range(256)) * 2000))
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 255
    path.write_bytes(content)
    with pytest.raises(BenchError, match="is damaged, or not an archive"):
        unpack(path, tmp_path / "out")
    path.write_bytes(b"<html>not found</html>")
    with pytest.raises(BenchError, match="is damaged, or not an archive"):
        unpack(path, tmp_path / "out2")
