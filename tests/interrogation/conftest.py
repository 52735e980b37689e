"""Tiny interrogators and taggers on disk, and a picture to ask them about."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.tiny_interrogation import write_deepdanbooru, write_interrogator_file, write_interrogator_zip, write_wd_zip

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one asset of each layout; not to be changed."""
    folder = tmp_path_factory.mktemp("interrogation")
    write_interrogator_zip(folder / "mine.zip")
    write_interrogator_file(folder / "mine.safetensors")
    write_deepdanbooru(folder / "deepdanbooru.pt")
    write_wd_zip(folder / "wd.zip")
    return folder


@pytest.fixture(scope="session")
def picture() -> Image.Image:
    """Wider than high, no two pixels alike."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 70, 3), dtype=np.uint8)
    return Image.fromarray(pixels)
