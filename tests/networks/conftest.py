"""A loaded tiny checkpoint, and switching networks on it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from torch import Tensor

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.webui.prompt.extra_networks import extract_tags, plan_networks
from inference_container.models.checkpoint import Checkpoint
from inference_container.models.files import JobFiles, ModelFile
from inference_container.models.loader import load_checkpoint
from inference_container.models.model_cache import ModelCache
from inference_container.networks.switch import NetworkSwitch
from inference_container.task import load_nothing
from tests.networks.network_files import model_file
from tests.tiny_checkpoint import write_tiny_checkpoint

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_checkpoint(tmp_path_factory.mktemp("model") / "tiny.safetensors")


@pytest.fixture(scope="session")
def checkpoint(tiny_path: Path) -> Checkpoint:
    file = model_file(tiny_path, AssetType.CHECKPOINT)
    return load_checkpoint(file, device=torch.device("cpu"), dtype=torch.float32)


def weights_of(checkpoint: Checkpoint) -> dict[str, Tensor]:
    """Copies of all parameters a network may change."""
    models = {"unet": checkpoint.unet, "text": checkpoint.text_encoder}
    return {
        f"{model}.{name}": parameter.detach().clone()
        for model, module in models.items()
        for name, parameter in module.named_parameters()
    }


def same_bits(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@contextmanager
def networks(checkpoint: Checkpoint, prompt: str, *files: ModelFile) -> Iterator[NetworkSwitch]:
    """The networks that the tags of `prompt` name, in force inside the block."""
    models = ModelCache(max_bytes=2**30, load=load_nothing)
    with NetworkSwitch(checkpoint, files=JobFiles(files), models=models) as switch:
        switch.use(plan_networks(extract_tags(prompt).tags))
        yield switch
