"""Uploads meant to hang, break or outlast their inspection have their verdict at once, in few reads and little time."""

import base64
import json
import logging
import pickle
import time
import zlib
from dataclasses import dataclass, field
from unittest.mock import patch

import pytest
from botocore.exceptions import EndpointConnectionError

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.model_files.embedding_pictures import MAX_CHUNKS
from generate_on_cloud.model_files.facts import read_facts
from generate_on_cloud.model_files.memory_bytes import MemoryBytes
from generate_on_cloud.model_files.refusals import RefusedFileError
from generate_on_cloud.model_files.safetensors_header import MAX_TENSORS
from lambdas.assets import inspection
from tests.lambdas.asset_uploads import BUCKET, LORA_FILE, UPLOAD, begin, complete, put_part, uploaded
from tests.lambdas.cloud import Cloud
from tests.lambdas.model_bytes import LORA, safetensors_file, sha256_of, with_header


def declared(data: bytes, kind: str = "lora", name: str = "ink.safetensors") -> dict[str, object]:
    return {"type": kind, "name": name, "size": len(data), "sha256": sha256_of(data)}


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def picture(chunks: int) -> bytes:
    """Of as many chunks before the last one, the first of which has an embedding."""
    document = base64.b64encode(json.dumps({"x": {"TORCHTENSOR": [0.5] * 768}}).encode())
    text = chunk(b"tEXt", b"sd-ti-embedding\0" + document)
    return b"\x89PNG\r\n\x1a\n" + text + chunk(b"IDAT") * (chunks - 1) + chunk(b"IEND")


def fields(count: int) -> bytes:
    """An ONNX model of which every field is a separate empty graph."""
    return b"\x3a\x00" * count


def header(tensors: int) -> bytes:
    document = {
        f"lora_unet_down_blocks_0_attentions_0_{number}.lora_down.weight": {
            "dtype": "F16",
            "shape": [1],
            "data_offsets": [2 * number, 2 * number + 2],
        }
        for number in range(tensors)
    }
    return with_header(json.dumps(document).encode(), bytes(2 * tensors))


def refused(cloud: Cloud, body: dict[str, object] = UPLOAD, data: bytes = LORA_FILE) -> str:
    """The reason that the upload of a file failed for."""
    asset_id = begin(cloud, body)["asset_id"]
    put_part(cloud, asset_id, data)
    answer = complete(cloud, asset_id)
    record = cloud.assets.get(asset_id)
    assert record is not None
    assert (answer.status, record.status.value) == (422, "failed")
    assert record.error is not None
    assert cloud.keys(BUCKET) == []
    return record.error


@dataclass
class Counted(MemoryBytes):
    """A file that counts how often it is read."""

    data: bytes
    reads: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(self.data)

    def read(self, offset: int, length: int) -> bytes:
        self.reads.append(offset)
        return super().read(offset, length)


@pytest.mark.parametrize(
    "metadata",
    [
        {"ss_tag_frequency": json.dumps({"10_x": {"\ud800": 9, "ink": 1}})},
        {"ss_tag_frequency": json.dumps({"10_x": {"a\udfff": 9, "ink": 1}, "\ud800": {"\udc00\ud800": 1}})},
        {"modelspec.trigger_phrase": "ink", "ss_tag_frequency": '{"x": {"\\ud83d": 5}}'},
    ],
)
def test_a_trained_word_that_is_half_a_character_is_left_out(cloud: Cloud, metadata: dict[str, str]) -> None:
    data = safetensors_file(LORA, metadata)

    assert uploaded(cloud, declared(data), data)["trained_words"] == ["ink"]


@pytest.mark.parametrize("key", ["modelspec.trigger_phrase", "ss_output_name", "any"])
def test_metadata_that_are_half_a_character_refuse_the_file(cloud: Cloud, key: str) -> None:
    data = safetensors_file(LORA, {key: "\ud800"})

    assert refused(cloud, declared(data), data) == "its header is not JSON"


def test_a_reason_has_no_half_character_and_is_short(cloud: Cloud) -> None:
    names = {"\ud800" + "x" * 2000: 1, "b": 2}
    with patch.object(inspection, "read_facts", side_effect=RefusedFileError(f"it holds {', '.join(names)}")):
        error = refused(cloud)

    assert error == f"it holds ?{'x' * 489}…"


@pytest.mark.parametrize(
    "error", [RecursionError("too deep"), MemoryError(), pickle.UnpicklingError("\udfff"), KeyError()]
)
def test_an_inspection_that_raises_fails_the_asset_at_once(
    cloud: Cloud, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    # Half a character in captured logs ends the process that sends the report.
    caplog.set_level(logging.CRITICAL + 1, logger="lambdas.assets.inspection")
    with patch.object(inspection, "read_facts", side_effect=error):
        reason = refused(cloud)

    assert reason.startswith(f"it cannot be inspected ({type(error).__name__}: ")


def test_an_inspection_that_storage_interrupts_is_run_again(cloud: Cloud) -> None:
    asset = begin(cloud)
    put_part(cloud, asset["asset_id"], LORA_FILE)
    with patch.object(inspection, "read_facts", side_effect=EndpointConnectionError(endpoint_url="https://s3")):
        assert complete(cloud, asset["asset_id"]).status == 500

    record = cloud.assets.get(asset["asset_id"])
    assert record is not None
    assert record.status.value == "inspecting"
    assert cloud.keys(BUCKET) == [record.key]


@pytest.mark.parametrize(
    ("kind", "name", "data", "reason"),
    [
        ("embedding", "x.png", picture(800_000), f"its PNG has more than {MAX_CHUNKS} chunks"),
        ("tagger", "x.onnx", fields(1_000_000), "it is not a complete ONNX model"),
        ("lora", "x.safetensors", header(120_000), f"its header has more than {MAX_TENSORS} tensors"),
        ("lora", "x.safetensors", with_header(b'{"a":[' + b"{}," * 3_000_000 + b"{}]}"), f"more than {MAX_TENSORS}"),
    ],
    ids=["PNG chunks", "ONNX fields", "tensors", "objects in a list"],
)
def test_many_small_pieces_are_refused_after_few_reads_and_little_time(
    kind: str, name: str, data: bytes, reason: str
) -> None:
    source, began = Counted(data), time.process_time()

    with pytest.raises(RefusedFileError, match=reason):
        read_facts(source, name=name, asset_type=AssetType(kind))

    assert time.process_time() - began < 2
    assert len(source.reads) < 20


@pytest.mark.parametrize(
    ("kind", "name", "data"),
    [("embedding", "x.png", picture(MAX_CHUNKS - 1)), ("tagger", "x.onnx", fields(9_999))],
)
def test_as_many_pieces_as_real_files_have_are_taken_in_few_reads(kind: str, name: str, data: bytes) -> None:
    source = Counted(data)

    read_facts(source, name=name, asset_type=AssetType(kind))

    assert len(source.reads) < 20
