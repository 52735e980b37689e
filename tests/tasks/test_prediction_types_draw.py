"""A checkpoint draws with the prediction type that its owner, or else its file, says."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from safetensors.torch import save_file

from generate_on_cloud.contract.assets import PredictionType
from generate_on_cloud.contract.jobs import Task
from inference_container.models.checkpoint import Checkpoint
from tests.tasks.conftest import load
from tests.tasks.running import pixels, run
from tests.tiny_checkpoint import CONFIG_KEY, tiny_config, tiny_state

NOISE, VELOCITY = PredictionType.EPSILON, PredictionType.V_PREDICTION


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """The tiny checkpoint with the sign of velocity prediction."""
    path: Path = tmp_path_factory.mktemp("marked") / "marked.safetensors"
    save_file({**tiny_state(), "v_pred": torch.empty(0)}, path, metadata={CONFIG_KEY: json.dumps(tiny_config())})
    return load(path)


def drawn(checkpoint: Checkpoint, said: PredictionType | None) -> npt.NDArray[np.uint8]:
    told = replace(checkpoint, file=replace(checkpoint.file, prediction_type=said))
    return pixels(run(told, Task.TXT2IMG))


def test_what_the_owner_says_decides_each_job_and_else_the_file(checkpoint: Checkpoint, marked: Checkpoint) -> None:
    noise, velocity = drawn(checkpoint, None), drawn(marked, None)

    assert not np.array_equal(noise, velocity)
    assert np.array_equal(drawn(checkpoint, VELOCITY), velocity)
    assert np.array_equal(drawn(marked, NOISE), noise)
    # The checkpoint stays in memory between jobs; the next one may say something else.
    assert np.array_equal(drawn(checkpoint, None), noise)
