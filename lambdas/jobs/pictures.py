"""A cheap check of a request's pictures: valid base64 of a known format. The container checks the pixels."""

import binascii
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from generate_on_cloud.contract.controlnet import CONTROLNET, PICTURE_FIELDS
from generate_on_cloud.contract.errors import FieldError
from generate_on_cloud.contract.picture_formats import READ_FORMATS, picture_format, tiff_bits
from generate_on_cloud.fetching.public_addresses import FetchError, parse_public_target
from lambdas.aws.rows import is_id
from lambdas.field_errors import pointer

URL = "https://"
_SINGLE_FIELDS = ("mask", "firstpass_image", "image")
_LIST_FIELDS = ("init_images",)
_MAX_BITS = 16
"""Per channel: WebUI cuts numbers above 255 off, so that pictures of 32 bits come out white or black."""


def picture_errors(params: Mapping[str, object]) -> list[FieldError]:
    """An error for every invalid picture in the params, with pointers relative to the params."""
    return [
        FieldError(pointer=pointer, message=reason)
        for pointer, text in _pictures(params)
        if (reason := _reason_against(text)) is not None
    ]


def pictures_elsewhere(params: Mapping[str, object]) -> dict[str, str]:
    """Pictures that are only referred to: pointer relative to the params → https URL or id of an input."""
    return {place: text for place, text in _pictures(params) if is_id(text) or text.startswith(URL)}


def _pictures(params: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for name in _SINGLE_FIELDS:
        value = params.get(name)
        if isinstance(value, str) and value:
            yield f"/{name}", value
    for name in _LIST_FIELDS:
        values = params.get(name)
        if isinstance(values, list):
            yield from (
                (f"/{name}/{index}", value) for index, value in enumerate(values) if isinstance(value, str) and value
            )
    yield from _batch_pictures(params.get("imageList"))
    yield from _unit_pictures(params.get("alwayson_scripts"))


def _batch_pictures(rows: object) -> Iterator[tuple[str, str]]:
    for index, row in enumerate(rows if isinstance(rows, list) else ()):
        text = row.get("data") if isinstance(row, dict) else None
        if isinstance(text, str) and text:
            yield f"/imageList/{index}/data", text


def _unit_pictures(scripts: object) -> Iterator[tuple[str, str]]:
    """Pictures of ControlNet's units; a picture and its mask may be in one field."""
    for title, script in scripts.items() if isinstance(scripts, dict) else ():
        units = script.get("args") if isinstance(script, dict) and title.lower() == CONTROLNET.lower() else None
        for number, unit in enumerate(units if isinstance(units, list) else ()):
            for name in sorted(PICTURE_FIELDS & set(unit)) if isinstance(unit, dict) else ():
                yield from _texts(pointer(["alwayson_scripts", title, "args", number, name]), unit[name])


def _texts(place: str, held: object) -> Iterator[tuple[str, str]]:
    """The texts in a field that may hold one text, a list or an object of them."""
    if isinstance(held, str) and held:
        yield place, held
    rows = held.items() if isinstance(held, dict) else enumerate(held) if isinstance(held, list) else ()
    for key, text in rows:
        if isinstance(text, str) and text:
            yield place + pointer([key]), text


def _reason_against(text: str) -> str | None:
    if is_id(text):
        return None  # whether the input exists is checked when the job is sent
    return _reason_against_url(text) if text.startswith(URL) else _reason_against_base64(text)


def _reason_against_url(url: str) -> str | None:
    try:
        parse_public_target(url)
    except FetchError as error:
        return f"received a URL that cannot be fetched: {error}"
    return None


def _reason_against_base64(text: str) -> str | None:
    head, body = "", text
    if text.startswith("data:"):
        head, _, body = text.partition(",")
        if not head.startswith("data:image/") or not head.endswith(";base64"):
            return f"received a data URI that starts {text[:40]!r}; allowed: data:image/TYPE;base64,…"
    try:
        # Line breaks are common in base64; any other foreign character means broken text or something else.
        characters = body.encode("ascii").translate(None, b"\r\n\t ")
        data = binascii.a2b_base64(characters, strict_mode=True)
    except (UnicodeEncodeError, binascii.Error):
        allowed = "a picture's bytes as base64, the id of an input, an https URL"
        return f"received text that starts {text[:40]!r} and is not valid base64; allowed: {allowed}"
    found = picture_format(data)
    if found is None or found.pillow is None:
        allowed = ", ".join(row.name for row in READ_FORMATS)
        what = (
            f"that start {data[:8]!r} and are not a supported picture"
            if found is None
            else f"of a file in {found.name}"
        )
        return f"received {len(data)} bytes {what}; allowed: {allowed}"
    kind = found.name
    if kind == "tiff" and (bits := tiff_bits(data)) > _MAX_BITS:
        return f"received a tiff picture with {bits} bits per channel; allowed: up to {_MAX_BITS}"
    if kind in _CUT and _CUT[kind](data):
        return f"received {len(data)} bytes of a {kind} picture that is cut off; allowed: whole pictures"
    return None


def _png_is_cut(data: bytes) -> bool:
    """Whether pixels are missing; decoders do without the last checksums."""
    at = 8
    while at + 8 <= len(data):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if kind == b"IEND":
            return False
        if kind == b"IDAT" and len(data) - at - 8 < length - _CHECKSUMS:
            return True
        at += 12 + length
    return False


def _jpeg_is_cut(data: bytes) -> bool:
    """Whether the last scan, which a thumbnail in the header does not have, lacks its end."""
    scan = data.rfind(b"\xff\xda")
    return scan >= 0 and data.find(b"\xff\xd9", scan) < 0


def _webp_is_cut(data: bytes) -> bool:
    return int.from_bytes(data[4:8], "little") + 8 > len(data) + 1


def _avif_is_cut(data: bytes) -> bool:
    at = 0
    while at + 8 <= len(data):
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if kind == b"mdat":
            return size > len(data) - at
        if size < 8:
            return False
        at += size
    return True


_CHECKSUMS = 32
"""Bytes at the end of a PNG's pixels that decoders can do without."""
_CUT: Mapping[str, Callable[[bytes], bool]] = MappingProxyType(
    {"png": _png_is_cut, "jpeg": _jpeg_is_cut, "webp": _webp_is_cut, "avif": _avif_is_cut}
)
"""Whether pixels are missing at the end, by format."""
