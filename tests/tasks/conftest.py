"""A loaded tiny checkpoint and pictures to work on."""

import base64
import hashlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from safetensors.torch import save_file

from generate_on_cloud.contract.assets import AssetType
from inference_container.models.checkpoint import Checkpoint
from inference_container.models.files import ModelFile
from inference_container.models.loader import load_checkpoint
from tests.tiny_checkpoint import CONFIG_KEY, tiny_config, tiny_state, write_tiny_checkpoint

torch.set_num_threads(1)


def load(path: Path) -> Checkpoint:
    file = ModelFile(AssetType.CHECKPOINT, path.name, path, hashlib.sha256(path.read_bytes()).hexdigest())
    return load_checkpoint(file, device=torch.device("cpu"), dtype=torch.float32)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    return load(write_tiny_checkpoint(tmp_path_factory.mktemp("model") / "tiny.safetensors"))


def as_text(image: Image.Image) -> str:
    """The picture as a request carries it."""
    file = io.BytesIO()
    image.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def noisy(width: int, height: int, *, seed: int = 0) -> Image.Image:
    """A picture no two pixels of which are alike."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def rectangle(width: int, height: int, box: tuple[int, int, int, int]) -> Image.Image:
    """A mask that is white in `box` (right and bottom exclusive)."""
    mask = Image.new("L", (width, height))
    ImageDraw.Draw(mask).rectangle((box[0], box[1], box[2] - 1, box[3] - 1), fill=255)
    return mask


@pytest.fixture(scope="session")
def inpainting(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """A checkpoint whose UNet takes 9 channels."""
    path = tmp_path_factory.mktemp("inpainting") / "tiny-inpainting.safetensors"
    save_file(tiny_state(in_channels=9), path, metadata={CONFIG_KEY: json.dumps(tiny_config(in_channels=9))})
    return load(path)


@pytest.fixture(scope="session")
def editing(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """An InstructPix2Pix checkpoint: its UNet takes 8 channels."""
    path = tmp_path_factory.mktemp("editing") / "tiny-pix2pix.safetensors"
    save_file(tiny_state(in_channels=8), path, metadata={CONFIG_KEY: json.dumps(tiny_config(in_channels=8))})
    return load(path)
