"""Archives nobody should trust: paths, sizes, kinds and bytes of their members."""

import os
import stat
import zipfile
from pathlib import Path

import pytest

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.model_files.archives import MAX_MEMBERS
from inference_container.models.archive import Archive, open_archive
from inference_container.models.files import ModelFile


def file_at(path: Path) -> ModelFile:
    return ModelFile(AssetType.INTERROGATOR, path.name, path, "")


def write(path: Path, *members: zipfile.ZipInfo | str, data: bytes = b"a") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member in members:
            archive.writestr(member, data)
    return path


def refusal(path: Path) -> JobFailed:
    with pytest.raises(JobFailed) as refused, open_archive(file_at(path)):
        pass
    return refused.value


def link(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name)
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    return member


def packed(name: str, method: int) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name)
    member.compress_type = method
    return member


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/x", "C:/x", "a\\b", ".."])
def test_a_member_that_would_leave_the_archive_is_refused(tmp_path: Path, name: str) -> None:
    failure = refusal(write(tmp_path / "a.zip", name))

    assert failure.error.code is JobErrorCode.ASSET_INCOMPATIBLE
    assert repr(name) in failure.error.message
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


@pytest.mark.parametrize(
    ("member", "words"),
    [
        (link("config.json"), "is a link"),
        (packed("a.txt", zipfile.ZIP_LZMA), "compressed by method 14; allowed: stored or deflated"),
        (packed("a.txt", zipfile.ZIP_BZIP2), "compressed by method 12"),
    ],
)
def test_a_member_of_another_kind_is_refused(tmp_path: Path, member: zipfile.ZipInfo, words: str) -> None:
    assert words in refusal(write(tmp_path / "a.zip", member)).error.message


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zip", "a.txt")
    data = bytearray(path.read_bytes())
    for flags in (data.index(b"PK\x03\x04") + 6, data.index(b"PK\x01\x02") + 8):
        data[flags] = 1
    path.write_bytes(data)

    assert "its member 'a.txt' is encrypted" in refusal(path).error.message


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    failure = refusal(write(tmp_path / "bomb.zip", "a.txt", data=bytes(5_000_000)))

    assert failure.error.code is JobErrorCode.ASSET_INCOMPATIBLE
    assert "it unpacks to 5000000 bytes; allowed: " in failure.error.message


def test_a_member_that_lies_about_its_size_is_corrupt(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zip", "a.txt", data=bytes(500_000))
    data = path.read_bytes()
    lie = data.replace((500_000).to_bytes(4, "little"), (5_000).to_bytes(4, "little"))
    path.write_bytes(lie)

    with open_archive(file_at(path)) as archive, pytest.raises(JobFailed, match=r"a\.txt in it") as refused:
        archive.text("a.txt")

    assert refused.value.error.code is JobErrorCode.ASSET_CORRUPT


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    assert "two members called 'a.txt'" in refusal(write(tmp_path / "a.zip", "a.txt", "a.txt")).error.message


def test_too_many_members_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zip", *map(str, range(MAX_MEMBERS + 1)))

    assert f"{MAX_MEMBERS + 1} members; allowed: 1 to {MAX_MEMBERS}" in refusal(path).error.message


@pytest.mark.parametrize("cut", [0, 10, -10])
def test_what_is_no_archive_is_corrupt(tmp_path: Path, cut: int) -> None:
    path = write(tmp_path / "a.zip", "a.txt")
    path.write_bytes(path.read_bytes()[:cut])

    assert refusal(path).error.code is JobErrorCode.ASSET_CORRUPT


def test_changed_bytes_and_texts_that_are_none_are_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("text.txt", "some words")
        archive.writestr("latin.txt", b"caf\xe9")
    path.write_bytes(path.read_bytes().replace(b"some words", b"same words"))

    with open_archive(file_at(path)) as opened:
        for name in ("text.txt", "latin.txt"):
            with pytest.raises(JobFailed, match=name) as refused:
                opened.text(name)
            assert refused.value.error.code is JobErrorCode.ASSET_CORRUPT
        with pytest.raises(JobFailed, match=r"text\.txt"), opened.unpacked("text.txt"):
            pass


def names(archive: Archive) -> list[str]:
    return sorted(archive.members)


def test_what_operating_systems_add_is_not_seen(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zip", "__MACOSX/._a.txt", "a.txt", "b/.DS_Store", "b/", "b/c.txt", "b/Thumbs.db")

    with open_archive(file_at(path)) as archive:
        assert names(archive) == ["a.txt", "b/c.txt"]
        assert archive.below("", ".txt") == ["a.txt"]
        assert archive.below("b", ".txt") == ["b/c.txt"]


def test_an_unpacked_member_is_gone_after_its_use(tmp_path: Path) -> None:
    with open_archive(file_at(write(tmp_path / "a.zip", "sub/a.bin", data=b"weights"))) as archive:
        with archive.unpacked("sub/a.bin") as file:
            path = file.path
            assert (path.read_bytes(), file.name) == (b"weights", "a.zip/sub/a.bin")
        assert not os.path.lexists(path.parent)
