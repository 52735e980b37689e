"""What inspection finds in model files of every kind, and what it refuses; no file is ever unpickled."""

import base64
import io
import json
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.model_files.facts import FileFacts, read_facts
from generate_on_cloud.model_files.memory_bytes import MemoryBytes
from generate_on_cloud.model_files.ranges import stream
from generate_on_cloud.model_files.refusals import RefusedFileError
from tests.lambdas.model_bytes import LORA, SD1, Shapes, safetensors_file, with_header
from tests.model_files.archive_rows import PARTS, zipped

ATTENTION = "attn2.to_k.weight"
HINT = "control_model.input_hint_block.0.weight"
LAYER = next(iter(LORA)).removesuffix(".lora_down.weight")


def network(layer: str, **parts: tuple[int, ...]) -> Shapes:
    return {f"{layer}.{part}": shape for part, shape in parts.items()}


def facts(data: bytes, kind: str, name: str = "x.safetensors") -> FileFacts:
    return read_facts(MemoryBytes(data), name=name, asset_type=AssetType(kind))


def reason(data: bytes, kind: str, name: str = "x.safetensors") -> str:
    with pytest.raises(RefusedFileError) as refused:
        facts(data, kind, name)
    return str(refused.value)


def saved(document: object, *, zipped: bool = True) -> bytes:
    buffer = io.BytesIO()
    torch.save(document, buffer, _use_new_zipfile_serialization=zipped)
    return buffer.getvalue()


def tensors(shapes: Shapes) -> dict[str, torch.Tensor]:
    return {name: torch.zeros(shape, dtype=torch.float16) for name, shape in shapes.items()}


@pytest.mark.parametrize(
    ("kind", "shapes", "architecture"),
    [
        ("checkpoint", SD1, "Stable Diffusion 1.x"),
        ("checkpoint", {**SD1, "model.diffusion_model.input_blocks.0.0.weight": (8, 9, 3, 3)}, "… inpainting"),
        ("checkpoint", {"conditioner.embedders.1.model.a": (1,), "model.diffusion_model.a": (1,)}, "… XL"),
        ("checkpoint", {"model.diffusion_model.a": (1,), "cond_stage_model.model.a": (1,)}, "… 2.x"),
        ("vae", {"encoder.conv_in.weight": (1,), "decoder.conv_in.weight": (1,)}, None),
        (
            "controlnet",
            {HINT: (1,), f"control_model.b.{ATTENTION}": (2, 768)},
            "… 1.x",
        ),
        ("controlnet", {"controlnet_cond_embedding.conv_in.weight": (1,), f"down.{ATTENTION}": (2, 2048)}, "… XL"),
        ("embedding", {"emb_params": (3, 1024)}, "… 2.x"),
        ("embedding", {"clip_l": (2, 768), "clip_g": (2, 1280)}, "… XL"),
        ("interrogator", {"vision_model.a": (1,)}, None),
        ("upscaler", {"conv_first.weight": (1,)}, None),
    ],
)
def test_the_kind_and_family_of_a_safetensors_file_are_found(
    kind: str, shapes: Shapes, architecture: str | None
) -> None:
    found = facts(safetensors_file(shapes), kind)

    wanted = (
        architecture.replace("…", "Stable Diffusion 1.x" if "inpaint" in architecture else "Stable Diffusion")
        if architecture
        else None
    )
    assert found.architecture == wanted
    assert found.data_start is not None


@pytest.mark.parametrize(
    ("shapes", "kind", "rank", "architecture"),
    [
        (LORA, "LoRA", 4, "Stable Diffusion 1.x"),
        ({**LORA, f"{LAYER}.dora_scale": (1,)}, "LoRA (DoRA)", 4, "Stable Diffusion 1.x"),
        (
            network("lora_unet_x", hada_w1_a=(9, 8), hada_w1_b=(8, 9), hada_w2_a=(9, 8), hada_w2_b=(8, 9)),
            "LoHa",
            8,
            None,
        ),
        (network("lora_unet_x", lokr_w1=(2, 2), lokr_w2_a=(3, 6), lokr_w2_b=(6, 9)), "LoKr", 6, None),
        (
            network("lora_te2_text", **{"lora_down.weight": (2, 1280), "lora_up.weight": (8, 2)}),
            "LoRA",
            2,
            "Stable Diffusion XL",
        ),
        (
            network("unet.a.attn2.to_k", **{"lora_A.weight": (16, 2048), "lora_B.weight": (8, 16)}),
            "LoRA",
            16,
            "Stable Diffusion XL",
        ),
        ({"lora_unet_x.diff": (4, 4)}, "full", None, None),
        ({"lora_unet_x.on_input": (1,), "lora_unet_x.weight": (4,)}, "IA3", None, None),
    ],
)
def test_a_networks_kind_rank_and_base_are_found(
    shapes: Shapes, kind: str, rank: int | None, architecture: str | None
) -> None:
    found = facts(safetensors_file(shapes), "lora")

    assert (found.network_kind, found.rank, found.architecture) == (kind, rank, architecture)


def test_the_words_a_network_was_trained_on_come_from_its_metadata() -> None:
    tags = {"10_ink": {"ink": 30, "a cat": 40, "bad": "x"}, "5_more": {"ink": 20}}
    metadata = {"ss_tag_frequency": json.dumps(tags), "modelspec.trigger_phrase": "inkstyle, wet"}

    assert facts(safetensors_file(LORA, metadata), "lora").trained_words == ("inkstyle", "wet", "ink", "a cat")


@pytest.mark.parametrize(
    ("metadata", "alias"),
    [
        ({"ss_output_name": "nickname"}, "nickname"),
        ({"ss_output_name": ""}, None),
        ({"ss_output_name": "None"}, None),
        ({"ss_output_name": "x" * 201}, None),
        ({}, None),
    ],
)
def test_the_name_a_trainer_saved_a_network_by_is_its_alias(metadata: dict[str, str], alias: str | None) -> None:
    assert facts(safetensors_file(LORA, metadata), "lora").alias == alias


@pytest.mark.parametrize("text", ["[", "[]", "3", "[" * 100_000, '{"a": 3}', '{"a": {"b": true}}'])
def test_metadata_of_another_form_tells_no_words(text: str) -> None:
    assert facts(safetensors_file(LORA, {"ss_tag_frequency": text}), "lora").trained_words == ()


PERCEPTRON = tensors(
    {
        "linear.0.weight": (1536, 768),
        "linear.0.bias": (1536,),
        "linear.1.weight": (768, 1536),
        "linear.1.bias": (768,),
    }
)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    ("kind", "name", "document", "architecture"),
    [
        ("checkpoint", "x.ckpt", {"state_dict": tensors(SD1), "epoch": 3, "lr": 0.5}, "Stable Diffusion 1.x"),
        ("checkpoint", "x.ckpt", OrderedDict(tensors(SD1)), "Stable Diffusion 1.x"),
        ("lora", "x.pt", tensors(LORA), "Stable Diffusion 1.x"),
        ("vae", "x.pt", {"state_dict": tensors({"encoder.a": (1,), "decoder.conv_in.weight": (1,)})}, None),
        (
            "embedding",
            "x.pt",
            {"string_to_token": {"*": 265}, "string_to_param": {"*": torch.zeros(2, 768)}, "name": "x", "step": None},
            "Stable Diffusion 1.x",
        ),
        ("embedding", "x.bin", {"<cat>": torch.zeros(768)}, "Stable Diffusion 1.x"),
        ("hypernetwork", "x.pt", {768: (PERCEPTRON, PERCEPTRON), "step": 3}, "Stable Diffusion 1.x"),
        ("upscaler", "x.pth", {"params_ema": tensors({"conv_first.weight": (1,)})}, None),
        ("checkpoint", "x.ckpt", {"state_dict": tensors(SD1), "seen": {1, 2}, "z": 1j}, "Stable Diffusion 1.x"),
        ("checkpoint", "x.ckpt", {"state_dict": tensors(SD1), "global_step": np.int64(7)}, "Stable Diffusion 1.x"),
        ("checkpoint", "x.ckpt", {"state_dict": tensors(SD1), "losses": np.ones(3)}, "Stable Diffusion 1.x"),
        ("tagger", "x.pt", {"tags": ["a", "b"], **tensors({"n_Conv_0.weight": (1,)})}, None),
    ],
)
def test_what_torch_saved_is_read_without_unpickling(
    kind: str, name: str, document: object, architecture: str | None, zipped: bool
) -> None:
    assert facts(saved(document, zipped=zipped), kind, name).architecture == architecture


class Evil:
    def __reduce__(self) -> Any:
        return print, ("unpickled!",)


class Lookup:
    def __reduce__(self) -> Any:
        return getattr, ("", "join")


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("payload", [Evil(), Lookup()])
def test_a_pickle_with_more_than_tensors_is_refused_and_not_run(
    payload: object, zipped: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    data = saved({**tensors(SD1), "extra": payload}, zipped=zipped)

    said = reason(data, "checkpoint", "x.ckpt")

    assert "its pickle" in said
    assert capsys.readouterr().out == ""
    with pytest.raises(pickle.UnpicklingError):
        torch.load(io.BytesIO(data), weights_only=True)


@pytest.mark.parametrize("kind", ["vae", "lora", "embedding", "controlnet", "interrogator", "upscaler"])
def test_a_checkpoint_under_another_type_is_refused(kind: str) -> None:
    assert "Stable Diffusion 1.x" in reason(safetensors_file(SD1), kind)


def test_a_network_is_no_checkpoint() -> None:
    assert "it holds a LoRA, not a checkpoint" in reason(safetensors_file(LORA), "checkpoint")


def entry(**changes: object) -> bytes:
    return json.dumps({"a": {"dtype": "F16", "shape": [2], "data_offsets": [0, 4], **changes}}).encode()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "it is empty"),
        (b"\xff" * 8, "header claims"),
        ((17 * 1024**2).to_bytes(8, "little") + bytes(17 * 1024**2), "allowed: 16777216"),
        (with_header(b"{"), "not JSON"),
        (with_header(b"[" * 100_000), "not JSON"),
        (with_header(b"[]"), "not a JSON object"),
        (with_header(b'{"a":1,"a":2}'), "twice"),
        (with_header(b'{"__metadata__":{"a":1}}'), "map of strings"),
        (with_header(b'{"a":1}'), "malformed"),
        (with_header(entry(dtype="F17"), bytes(4)), "malformed"),
        (with_header(entry(shape=[-2]), bytes(4)), "malformed"),
        (with_header(entry(shape=[2**70]), bytes(4)), "malformed"),
        (with_header(entry(data_offsets=[1, 5]), bytes(5)), "begins at byte 1"),
        (with_header(entry(), bytes(3)), "truncated"),
        (with_header(entry(), bytes(5)), "too long"),
    ],
)
def test_a_hostile_or_broken_header_is_refused(data: bytes, said: str) -> None:
    assert said in reason(data, "lora")


@given(st.integers(0, len(safetensors_file(SD1)) - 1))
@settings(max_examples=40, deadline=None)
def test_a_truncated_safetensors_file_is_never_taken(length: int) -> None:
    assert reason(safetensors_file(SD1)[:length], "checkpoint")


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_a_truncated_archive_of_tensors_is_never_taken(data: st.DataObject) -> None:
    whole = saved(tensors(SD1))
    length = data.draw(st.integers(0, len(whole) - 1))

    assert reason(whole[:length], "checkpoint", "x.ckpt")


@given(st.binary(max_size=200))
@settings(max_examples=60, deadline=None)
def test_whatever_bytes_a_pickle_has_it_is_refused_or_read(data: bytes) -> None:
    assert reason(data, "checkpoint", "x.ckpt")
    assert reason(b"\x80\x02" + data, "checkpoint", "x.ckpt")


def archive(members: Mapping[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as opened:
        for name, content in members.items():
            opened.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (archive({"a/b": b""}), "exactly one data.pkl"),
        (archive({"a/data.pkl": pickle.dumps({}, 2), "b/data.pkl": b"x"}), "exactly one data.pkl"),
        (archive({"a/data.pkl": b"x" * 99}, zipfile.ZIP_DEFLATED), "compressed"),
        (archive({"a/../../data.pkl": b"x"}), "outside the archive's folder"),
        (archive({"a/data.pkl": b"\x80\x02i"}), "not a complete pickle"),
        (archive({"a/data.pkl": pickle.dumps([1], 2)}), "not a dictionary"),
        (
            archive({"a/data.pkl": b"\x80\x02c_codecs\nencode\nX\1\0\0\0aX\3\0\0\0hex\x86R."}),
            "unsupported text encoding",
        ),
    ],
)
def test_an_archive_that_torch_did_not_write_is_refused(data: bytes, said: str) -> None:
    assert said in reason(data, "checkpoint", "x.ckpt")


def onnx_model() -> bytes:
    graph = b"graph bytes"
    return b"\x08\x09" + b"\x3a" + bytes([len(graph)]) + graph


def png() -> bytes:
    text = b"sd-ti-embedding\0" + base64.b64encode(json.dumps({"x": {"TORCHTENSOR": [0.5] * 5}}).encode())
    chunks = ((b"tEXt", text), (b"IDAT", b""), (b"IEND", b""))
    written = (struct.pack(">I", len(data)) + kind + data + b"crc!" for kind, data in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(written)


@pytest.mark.parametrize(
    ("kind", "name", "whole"),
    [
        ("tagger", "x.onnx", onnx_model()),
        ("embedding", "x.png", png()),
        ("interrogator", "x.zip", zipped(PARTS)),
    ],
)
def test_other_formats_are_taken_whole_and_refused_cut(kind: str, name: str, whole: bytes) -> None:
    assert facts(whole, kind, name) == FileFacts()
    for length in range(len(whole)):
        assert reason(whole[:length], kind, name)


def test_a_file_is_streamed_in_order() -> None:
    data = bytes(range(256)) * 100_000

    assert b"".join(stream(MemoryBytes(data))) == data
