"""Files that are plainly something else are refused by what they are, with advice."""

import pytest

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.model_files.facts import read_facts
from generate_on_cloud.model_files.memory_bytes import MemoryBytes
from generate_on_cloud.model_files.refusals import BrokenFileError, RefusedFileError
from generate_on_cloud.model_files.uses import controlnet_prefix

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
        (b"GIF89a\x01\x00", "it is a GIF picture"),
        (b"\0\0\0\x18ftypisom" + bytes(30), "it is a film or a picture"),
        (b"\0\0\0\x1cftypavif" + bytes(30), "it is a film or a picture"),
        (b"MZ\x90\0" + bytes(90), "it is a program"),
        (b"\x7fELF\x02\x01" + bytes(30), "it is a program"),
        (b"\xfd7zXZ\0" + bytes(30), "it is an xz archive; unpack it first"),
        (b"BZh91AY&SY" + bytes(30), "it is a bzip2 archive"),
        (b"\x28\xb5\x2f\xfd" + bytes(30), "it is a zstd archive"),
        (b"model/a.bin".ljust(257, b"\0") + b"ustar\0" + bytes(300), "it is a tar archive"),
        (b"\x89HDF\r\n\x1a\n" + bytes(30), "it is an HDF5 file"),
        (b"SQLite format 3\0" + bytes(30), "it is a database"),
        (b"\x93NUMPY\x01\0" + bytes(30), "it is an array of NumPy"),
        (b"ftrt" + bytes(30), "it is an engine of TensorRT"),
        ("<html>".encode("utf-16"), "it is a text in UTF-16"),
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
        (b"\x08\x07\x12\x07pytorch" + bytes(30), "a.pth", AssetType.UPSCALER, "it is an ONNX model, not a .pth file"),
        (b"Unauthorized: please log in\n", "a.safetensors", AssetType.LORA, "it is a text that begins 'Unauthorized:"),
        (b"Invalid username or password.", "a.safetensors", AssetType.VAE, "it is a text that begins 'Invalid user"),
        (b"404: Not Found", "a.safetensors", AssetType.CHECKPOINT, "it is a text that begins '404: Not Found'"),
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


@pytest.mark.parametrize(
    "length",
    [
        0x280, 0x380, 0x480, 0x580,  # a pickle's first bytes
        0x1F20, 0x4D8, 0xA20, 0x920, 0xD20, 0x3C20,
    ],
)  # fmt: skip
def test_a_safetensors_file_is_one_whatever_the_length_of_its_header_looks_like(length: int) -> None:
    header = b'{"emb_params":{"dtype":"F32","shape":[1,768],"data_offsets":[0,3072]}}'
    data = length.to_bytes(8, "little") + header.ljust(length) + bytes(3072)

    facts = read_facts(MemoryBytes(data), name="a.safetensors", asset_type=AssetType.EMBEDDING)

    assert facts.architecture == "Stable Diffusion 1.x"


@pytest.mark.parametrize(
    "wrapper", ["", "control_model.", "module.", "module.control_model.", "controlnet.", "_orig_mod."]
)
@pytest.mark.parametrize("sign", ["input_hint_block.0.weight", "controlnet_cond_embedding.conv_in.weight"])
def test_a_controlnet_is_one_whatever_its_trainer_wrapped_around_it(wrapper: str, sign: str) -> None:
    shapes = {f"{wrapper}{sign}": (16, 3, 3, 3), f"{wrapper}zero_convs.0.0.weight": (320, 320, 1, 1)}

    assert controlnet_prefix(shapes) == wrapper


@pytest.mark.parametrize("name", ["xinput_hint_block.0.weight", "input_hint_block.0.weight.x"])
def test_a_tensor_that_is_only_called_alike_makes_no_controlnet(name: str) -> None:
    with pytest.raises(RefusedFileError, match="not a ControlNet"):
        controlnet_prefix({name: (16, 3, 3, 3)})
