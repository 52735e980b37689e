"""The size that a checkpoint learned, as its file says it, and the warning of a job that draws far larger."""

import json
from pathlib import Path
from typing import Any

import pytest

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.model_files.facts import read_facts
from generate_on_cloud.model_files.memory_bytes import MemoryBytes
from generate_on_cloud.model_files.native_sizes import PACKED_CONFIG, RESOLUTION, native_size
from inference_container.models.model_config import PACKED_CONFIG as LOADED_CONFIG
from tests.lambdas.asset_uploads import uploaded
from tests.lambdas.cloud import Cloud, txt2img
from tests.lambdas.model_bytes import SD1, safetensors_file

SHAPES = Path(__file__).parents[2] / "demo_models/weights/shapes.safetensors"


def packed(config: object) -> dict[str, str]:
    return {PACKED_CONFIG: json.dumps({"unet/config.json": config})}


SAID: dict[str, tuple[dict[str, str], tuple[int, int] | None]] = {
    "nothing": ({}, None),
    "by the model specification": ({RESOLUTION: "1024x1024"}, (1024, 1024)),
    "one number": ({RESOLUTION: "512"}, (512, 512)),
    "as kohya writes a bucket": ({RESOLUTION: " 832,1216 "}, (832, 1216)),
    "by a packed configuration": (packed({"sample_size": 8}), (64, 64)),
    "by a packed text": (packed('{"sample_size": 96}'), (768, 768)),
    "the specification first": ({RESOLUTION: "512x512", **packed({"sample_size": 8})}, (512, 512)),
    "nonsense": ({RESOLUTION: "large"}, None),
    "no size": ({RESOLUTION: "0x512"}, None),
    "a size beyond belief": ({RESOLUTION: "99999x512"}, None),
    "a size that is true": (packed({"sample_size": True}), None),
    "a list": (packed([8]), None),
    "no JSON": ({PACKED_CONFIG: "{"}, None),
    "JSON that is deep": ({PACKED_CONFIG: "[" * 100_000}, None),
    "another document": ({PACKED_CONFIG: "[]"}, None),
}


@pytest.mark.parametrize("case", SAID)
def test_a_header_says_the_size_that_a_checkpoint_learned(case: str) -> None:
    metadata, size = SAID[case]
    assert native_size(metadata) == size


def test_the_demos_checkpoint_says_that_it_learned_pictures_of_64_pixels() -> None:
    facts = read_facts(MemoryBytes(SHAPES.read_bytes()), name=SHAPES.name, asset_type=AssetType.CHECKPOINT)

    assert facts.native_size == (64, 64)
    assert PACKED_CONFIG == LOADED_CONFIG


def sent(cloud: Cloud, **params: object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = cloud.ask("POST", "/v1/jobs", txt2img(**params) | {"checkpoint": "small"}).ok(201)[
        "warnings"
    ]
    return found


@pytest.mark.parametrize(
    ("size", "times"),
    [
        ({"width": 64, "height": 64}, None),
        ({"width": 128, "height": 128}, None),
        ({"width": 136, "height": 128}, "4 times"),
        ({"width": 512, "height": 512}, "64 times"),
        ({}, "64 times"),
    ],
)
def test_a_job_that_draws_far_larger_than_its_checkpoint_learned_has_a_warning_with_the_right_size(
    cloud: Cloud, size: dict[str, int], times: str | None
) -> None:
    data = safetensors_file(SD1, metadata=packed({"sample_size": 8}))
    asset = uploaded(cloud, {"type": "checkpoint", "name": "small.safetensors", "size": len(data)}, data)

    warnings = sent(cloud, **size)

    assert (asset["native_width"], asset["native_height"]) == (64, 64)
    assert [warning["pointer"] for warning in warnings] == (["/params/width"] if times else [])
    assert times is None or times in warnings[0]["message"]
    assert times is None or "set width and height to about 64x64" in warnings[0]["message"]


def test_of_a_checkpoint_that_does_not_say_its_size_nothing_is_said(cloud: Cloud) -> None:
    cloud.asset("checkpoint", "small.safetensors")

    assert sent(cloud, width=1024, height=1024) == []
