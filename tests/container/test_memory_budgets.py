"""How much memory models may take, by device."""

import psutil
import torch

from inference_container.assembly import model_bytes, waiting_bytes
from inference_container.settings import ContainerSettings

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def settings(**limits: int) -> ContainerSettings:
    return ContainerSettings(JOBS_BUCKET="j", ASSETS_BUCKET="a", JOBS_TABLE="t", **limits)


def test_on_a_cpu_models_have_one_budget_and_wait_nowhere() -> None:
    chosen = settings(MODEL_CACHE_MAX_BYTES=5, DEVICE_CACHE_MAX_BYTES=7)

    assert (model_bytes(chosen, CPU), waiting_bytes(chosen, CPU)) == (5, 0)


def test_beside_a_gpu_they_wait_in_at_most_half_of_the_ram() -> None:
    chosen = settings(MODEL_CACHE_MAX_BYTES=2**60, DEVICE_CACHE_MAX_BYTES=7)

    assert model_bytes(chosen, GPU) == 7
    assert waiting_bytes(settings(MODEL_CACHE_MAX_BYTES=5), GPU) == 5
    assert waiting_bytes(chosen, GPU) <= psutil.virtual_memory().total // 2 + 2**20
