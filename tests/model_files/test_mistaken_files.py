"""Files that are plainly something else are refused by what they are, with advice."""

import pytest

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.model_files.facts import read_facts
from generate_on_cloud.model_files.memory_bytes import MemoryBytes
from generate_on_cloud.model_files.refusals import BrokenFileError

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"6c" * 32 + b"\nsize 4265146304\n"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "it is empty (0 bytes)"),
        (bytes(4096), "it begins with zeros only"),
        (POINTER, "it is a pointer of Git LFS and not the file; fetch the file with `git lfs pull`"),
        (b"<!DOCTYPE html><html><head><title>Sign in", "it is a web page (HTML)"),
        (b"\n\n<html lang=en>", "it is a web page (HTML)"),
        (b"\xef\xbb\xbf<!-- x --> <HTML>", "it is a web page (HTML)"),
        (b'{"error": "Unauthorized"}', "it is a JSON document"),
        (b'[\n  {"id": 1}]', "it is a JSON document"),
        (b"<?xml version='1.0'?><Error>", "it is an XML document"),
        (b"%PDF-1.7 x", "it is a PDF document"),
        (b"\x1f\x8b\x08\x00aaaa", "it is a gzip archive; unpack it first"),
        (b"7z\xbc\xaf\x27\x1c\x00", "it is a 7-Zip archive; unpack it first"),
        (b"Rar!\x1a\x07\x01\x00", "it is a RAR archive; unpack it first"),
        (b"GGUF\x03\x00\x00\x00", "it is a GGUF file"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "it is a JPEG picture"),
    ],
)
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.safetensors", AssetType.LORA),
        ("a.safetensors", AssetType.CHECKPOINT),
        ("a.ckpt", AssetType.CHECKPOINT),
        ("a.pt", AssetType.EMBEDDING),
        ("a.pth", AssetType.UPSCALER),
        ("a.bin", AssetType.CONTROLNET),
        ("a.zip", AssetType.TAGGER),
        ("a.onnx", AssetType.TAGGER),
        ("a.png", AssetType.EMBEDDING),
    ],
)
def test_what_is_no_model_is_called_what_it_is(data: bytes, words: str, name: str, kind: AssetType) -> None:
    with pytest.raises(BrokenFileError) as refused:
        read_facts(MemoryBytes(data), name=name, asset_type=kind)

    assert str(refused.value).startswith(words)


@pytest.mark.parametrize(
    ("data", "name", "kind", "words"),
    [
        (
            b"\x89PNG\r\n\x1a\n" + bytes(30),
            "a.safetensors",
            AssetType.LORA,
            "it is a PNG picture, not a .safetensors file",
        ),
        (b"PK\x03\x04" + bytes(30), "a.safetensors", AssetType.LORA, "it is a zip archive or a file of torch, not a"),
        (b"\x80\x02\x8a\x0a" + bytes(30), "a.safetensors", AssetType.LORA, "it is a pickle of torch, not a"),
        (
            b"\x20" + bytes(7) + b'{"a": {"dtype"',
            "a.ckpt",
            AssetType.CHECKPOINT,
            "it is a .safetensors file, not a .ckpt",
        ),
        (b"\x20" + bytes(7) + b'{"a": {"dtype"', "a.zip", AssetType.TAGGER, "it is a .safetensors file, not a .zip"),
    ],
)
def test_a_file_with_the_extension_of_another_format_is_told_its_own(
    data: bytes, name: str, kind: AssetType, words: str
) -> None:
    with pytest.raises(BrokenFileError) as refused:
        read_facts(MemoryBytes(data), name=name, asset_type=kind)

    assert str(refused.value).startswith(words)
