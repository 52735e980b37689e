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
    (rb"GIF8[79]a", "a GIF picture", "upload the model file, not its preview"),
    (rb"....ftyp", "a film or a picture (MP4, AVIF, HEIC)", "upload the model file, not its preview"),
    (rb"MZ.{56}|\x7fELF", "a program", "upload the model file"),
    (rb"\xfd7zXZ\0", "an xz archive", "unpack it first"),
    (rb"BZh[1-9]1AY&SY", "a bzip2 archive", "unpack it first"),
    (rb"\x28\xb5\x2f\xfd", "a zstd archive", "unpack it first"),
    (rb".{257}ustar", "a tar archive", "unpack it first"),
    (rb"\x89HDF\r\n", "an HDF5 file (Keras)", "upload the .safetensors of the model"),
    (rb"SQLite format 3", "a database (SQLite)", "upload the model file"),
    (rb"\x93NUMPY", "an array of NumPy", "upload the .safetensors of the model"),
    (rb"ftrt", "an engine of TensorRT, for one kind of GPU", "upload the .safetensors of the model"),
    (rb"\xff\xfe[^\0]\0", "a text in UTF-16", _DOWNLOAD),
)
_COMPILED = tuple((re.compile(sign, re.DOTALL), what, advice) for sign, what, advice in _SIGNS)
_FORMATS: tuple[tuple[str, re.Pattern[bytes], tuple[str, ...]], ...] = (
    ("a .safetensors file", re.compile(rb".{8}\{\s*\"", re.DOTALL), (".safetensors",)),
    ("a PNG picture", re.compile(rb"\x89PNG\r\n\x1a\n"), (".png",)),
    ("a zip archive or a file of torch", re.compile(rb"PK\x03\x04"), (".zip", ".pt", ".pth", ".ckpt", ".bin")),
    ("an ONNX model", re.compile(rb"\x08[\x01-\x20]\x12[\x02-\x20][\x20-\x7e]{2}"), (".onnx",)),
    ("a pickle of torch", re.compile(rb"\x80[\x02-\x05]"), (".pt", ".pth", ".ckpt", ".bin")),
)
"""Formats that files here may have, and the extensions that belong to them."""


_TEXT = re.compile(rb"[\t\r\n -~]*[A-Za-z]{2,}[\t\r\n -~]*")
"""Words and nothing else: what a site answers instead of the file."""


def refuse_mistaken(source: ByteSource, suffix: str) -> None:
    """Refuse a file whose first bytes show that it is something else than its extension says.

    Raises:
        BrokenFileError: the message says what it is and what to do.
    """
    if source.size == 0:
        raise BrokenFileError("it is empty (0 bytes); download or copy it again")
    start = source.read(0, min(_HEAD, source.size))
    if suffix == ".safetensors" and _is_safetensors(start, source.size):
        return  # whatever the bytes of its header's length look like
    head = start.lstrip(b"\xef\xbb\xbf \t\r\n")
    if not start.strip(b"\0"):
        raise BrokenFileError("it begins with zeros only, as after an interrupted copy; download or copy it again")
    for sign, what, advice in _COMPILED:
        if sign.match(head):
            raise BrokenFileError(f"it is {what}; {advice}")
    if suffix == ".safetensors" and _TEXT.fullmatch(start):
        raise BrokenFileError(f"it is a text that begins {start[:60].decode()!r}; {_DOWNLOAD}")
    for what, sign, suffixes in _FORMATS:
        if suffix not in suffixes and sign.match(start):
            raise BrokenFileError(f"it is {what}, not a {suffix} file; its extension must be {' or '.join(suffixes)}")


def _is_safetensors(start: bytes, size: int) -> bool:
    """Whether the file begins as a .safetensors file whose header it holds."""
    return _FORMATS[0][1].match(start) is not None and int.from_bytes(start[:8], "little") <= size - 8
