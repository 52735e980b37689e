"""What a user's archive must hold to be an asset of its type, as far as it shows without the models' libraries."""

import csv
import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath

from pydantic import JsonValue

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.model_files.archives import MAX_MEMBERS, open_zip, plain_members
from generate_on_cloud.model_files.member_bytes import MemberBytes
from generate_on_cloud.model_files.other_formats import check_onnx
from generate_on_cloud.model_files.ranges import MIB, ByteSource
from generate_on_cloud.model_files.refusals import BrokenFileError, RefusedFileError
from generate_on_cloud.model_files.safetensors_header import read_safetensors_header

MAX_TEXT = 64 * MIB
MAX_ONNX = 2**31 - 1
"""Maximum size of a network in one file, protobuf's limit."""
WEIGHTS = "model.safetensors"
"""transformers' name for the file of a model's weights."""
MODEL_TEXTS: Mapping[str, Sequence[str]] = {"blip": ("vocab.txt",), "clip": ("vocab.json", "merges.txt")}
"""The models of an interrogator by the `model_type` in their config.json, with their vocabularies."""
Members = Mapping[str, zipfile.ZipInfo]


def check_contents(archive: zipfile.ZipFile, members: Members, asset_type: AssetType) -> None:
    """Check what is in an archive whose members may be read.

    Raises:
        RefusedFileError: it is not an asset of this type, or a part of it is broken.
    """
    check = _TYPES.get(asset_type)
    if check is not None:
        check(archive, members)


def check_archive(source: ByteSource, asset_type: AssetType) -> None:
    """Check a user's zip archive, and what is in it.

    Raises:
        RefusedFileError: the archive or one of its members is not allowed, or it is not an asset of this type.
    """
    with open_zip(source, most_members=MAX_MEMBERS) as archive:
        check_contents(archive, plain_members(archive, archive_bytes=source.size), asset_type)


def member_text(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> str:
    """A member as UTF-8 text, without its byte order mark.

    Raises:
        BrokenFileError: it cannot be unpacked or is not text.
        RefusedFileError: it is too large.
    """
    if member.file_size > MAX_TEXT:
        raise RefusedFileError(f"{member.filename} in it has {member.file_size} bytes; allowed: {MAX_TEXT}")
    try:
        return MemberBytes(archive, member).read(0, MAX_TEXT).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BrokenFileError(f"{member.filename} in it: {error}") from error


def only_member(members: Members, suffix: str) -> str:
    """The path of the one file with this suffix.

    Raises:
        RefusedFileError: there is none, or more than one.
    """
    found = [name for name in sorted(members) if name.lower().endswith(suffix)]
    if len(found) != 1:
        names = ", ".join(found) or "none"
        raise RefusedFileError(f"received {suffix} files: {names[:200]}; allowed: one .onnx and one .csv")
    return found[0]


def read_tag_rows(text: str) -> list[tuple[str, int]]:
    """The columns `name` and `category` of a `selected_tags.csv`.

    Raises:
        RefusedFileError: the text is not such a table.
    """
    try:
        rows = list(csv.DictReader(io.StringIO(text), strict=True))
    except csv.Error as error:
        raise RefusedFileError(f"its list of tags is not a .csv: {error}") from error
    tags = []
    for number, row in enumerate(rows, start=2):
        name, category = row.get("name"), row.get("category")
        if not name or category is None or not (category.isascii() and category.isdecimal() and len(category) < 10):
            raise RefusedFileError(f"line {number} of its list of tags has no name and category (a whole number)")
        tags.append((name, int(category)))
    if not tags:
        raise RefusedFileError("its list of tags is empty")
    return tags


def json_object(text: str, *, what: str) -> dict[str, JsonValue]:
    """The JSON object in a text, which messages call `what`.

    Raises:
        RefusedFileError: it is not a JSON object.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RefusedFileError(f"{what} is not JSON") from error
    if not isinstance(document, dict):
        raise RefusedFileError(f"{what} is not a JSON object")
    return document


def _check_tagger(archive: zipfile.ZipFile, members: Members) -> None:
    model, tags = only_member(members, ".onnx"), only_member(members, ".csv")
    read_tag_rows(member_text(archive, members[tags]))
    size = members[model].file_size
    if size > MAX_ONNX:
        raise RefusedFileError(f"{model} in it has {size} bytes; allowed: {MAX_ONNX}")
    try:
        check_onnx(MemberBytes(archive, members[model]))
    except BrokenFileError:
        raise
    except RefusedFileError as error:
        raise BrokenFileError(f"{model} in it: {error}") from error


def _check_interrogator(archive: zipfile.ZipFile, members: Members) -> None:
    folders: dict[str, str] = {}
    found: list[str] = []
    for name in sorted(name for name in members if PurePosixPath(name).name == "config.json"):
        folder = str(PurePosixPath(name).parent)
        config = json_object(
            member_text(archive, members[name]), what=f"{'' if folder == '.' else folder}/config.json in it"
        )
        kind = str(config.get("model_type"))
        folders.setdefault(kind, folder)
        found.append(f"{folder} ({kind[:100]})")
    for kind, texts in MODEL_TEXTS.items():
        if kind not in folders:
            raise RefusedFileError(
                f'it has no folder whose config.json says "model_type": "{kind}"; '
                f"its models: {', '.join(found)[:200] or 'none'}"
            )
        place = PurePosixPath(folders[kind])
        for name in texts:
            if str(place / name) not in members:
                raise RefusedFileError(f"its folder {str(place)!r} has no {name}")
            member_text(archive, members[str(place / name)])
        _check_weights(archive, members, str(place / WEIGHTS))


def _check_weights(archive: zipfile.ZipFile, members: Members, name: str) -> None:
    if name not in members:
        raise RefusedFileError(f"it has no {name}")
    try:
        read_safetensors_header(MemberBytes(archive, members[name]))
    except BrokenFileError as error:
        raise BrokenFileError(f"{name} in it: {error}") from error


_TYPES: Mapping[AssetType, Callable[[zipfile.ZipFile, Members], None]] = {
    AssetType.TAGGER: _check_tagger,
    AssetType.INTERROGATOR: _check_interrogator,
}
