"""Files that are plainly something else than a model: what a browser, git or a full disk left in its place."""

import re

from generate_on_cloud.model_files.ranges import ByteSource
from generate_on_cloud.model_files.refusals import BrokenFileError

_HEAD = 512
_LFS, _DOWNLOAD = "git lfs pull", "download the file itself, logged in if the site asks for it"
_SIGNS: tuple[tuple[bytes, str, str], ...] = (
    (rb"version https://git-lfs", "a pointer of Git LFS and not the file", f"fetch the file with `{_LFS}`"),
    (rb"(?is)(?:<!--.*?-->\s*)?<(?:!doctype html|html|head|body)\b", "a web page (HTML)", _DOWNLOAD),
    (rb"<\?xml|<Error>", "an XML document, such as a storage's error message", _DOWNLOAD),
    (
        rb"[{\[]\s*(?:[\"\]{}\[]|-?\d)",
        "a JSON document",
        "upload the model file that it describes",
    ),
    (rb"%PDF-", "a PDF document", _DOWNLOAD),
    (rb"\x1f\x8b", "a gzip archive", "unpack it first"),
    (rb"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "unpack it first"),
    (rb"Rar!\x1a\x07", "a RAR archive", "unpack it first"),
    (rb"GGUF", "a GGUF file", "upload the .safetensors of the model; GGUF is not supported"),
    (rb"\xff\xd8\xff", "a JPEG picture", "upload the model file, not its preview"),
    (rb"RIFF....WEBP", "a WebP picture", "upload the model file, not its preview"),
)
_COMPILED = tuple((re.compile(sign, re.DOTALL), what, advice) for sign, what, advice in _SIGNS)
_FORMATS: tuple[tuple[str, re.Pattern[bytes], tuple[str, ...]], ...] = (
    ("a .safetensors file", re.compile(rb".{8}\{\s*\"", re.DOTALL), (".safetensors",)),
    ("a PNG picture", re.compile(rb"\x89PNG\r\n\x1a\n"), (".png",)),
    ("a zip archive or a file of torch", re.compile(rb"PK\x03\x04"), (".zip", ".pt", ".pth", ".ckpt", ".bin")),
    ("a pickle of torch", re.compile(rb"\x80[\x02-\x05]"), (".pt", ".pth", ".ckpt", ".bin")),
)
"""Formats that files here may have, and the extensions that belong to them."""


def refuse_mistaken(source: ByteSource, suffix: str) -> None:
    """Refuse a file whose first bytes show that it is something else than its extension says.

    Raises:
        BrokenFileError: the message says what it is and what to do.
    """
    if source.size == 0:
        raise BrokenFileError("it is empty (0 bytes); download or copy it again")
    start = source.read(0, _HEAD)
    head = start.lstrip(b"\xef\xbb\xbf \t\r\n")
    if not start.strip(b"\0"):
        raise BrokenFileError("it begins with zeros only, as after an interrupted copy; download or copy it again")
    for sign, what, advice in _COMPILED:
        if sign.match(head):
            raise BrokenFileError(f"it is {what}; {advice}")
    for what, sign, suffixes in _FORMATS:
        if suffix not in suffixes and sign.match(start):
            raise BrokenFileError(f"it is {what}, not a {suffix} file; its extension must be {' or '.join(suffixes)}")
