"""One product for the tests of a module: the demo models are uploaded to it once."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.cases.product import Product, make_worker
from tests.lambdas.cloud import open_aws, open_cloud

WEIGHTS = Path(__file__).parents[2] / "demo_models" / "weights"
DEMO = {"shapes": "checkpoint", "edges": "controlnet", "moon": "lora"}

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with pytest.MonkeyPatch.context() as patched, open_aws(patched) as aws, open_cloud(aws) as cloud:
        made = Product(cloud, make_worker(cloud, tmp_path_factory.mktemp("files")))
        for name, kind in DEMO.items():
            file = f"{name}.safetensors"
            assert made.upload(kind, file, (WEIGHTS / file).read_bytes())["status"] == "active"
        yield made


@pytest.fixture(scope="session")
def weights() -> Path:
    return WEIGHTS
