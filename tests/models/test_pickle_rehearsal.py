"""A pickle is read in a child process first: what hangs, crashes or fills it costs the job and not the worker."""

from pathlib import Path

import pytest
import torch

from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from inference_container.models import tensor_file
from inference_container.models.pickle_rehearsal import rehearse
from inference_container.models.tensor_file import open_tensor_file
from tests.models.hostile_files import SOUND, hostile, saved

MISBEHAVING = "tests.models.misbehaving_reader"


def test_a_sound_file_passes_wherever_the_process_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sound.pt").write_bytes(SOUND)

    rehearse(Path("sound.pt"))


@pytest.mark.parametrize("how", ["loop", "wait", "crash", "grow", "nest", "raise"])
def test_a_reader_that_does_not_come_to_an_end_costs_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    file = hostile(tmp_path, "pt", how.encode())
    monkeypatch.setattr(
        tensor_file, "rehearse", lambda path: rehearse(path, module=MISBEHAVING, cpu_seconds=1, wall_seconds=10)
    )

    with (
        pytest.raises(JobFailed, match="cannot be read in 1 seconds of a processor and 1024 MiB") as failed,
        open_tensor_file(file),
    ):
        pass

    assert failed.value.error.code is JobErrorCode.ASSET_CORRUPT


def test_the_largest_pickle_that_is_allowed_passes(tmp_path: Path) -> None:
    tensors = {f"a.layer.with.a.long.name.{number}.weight": torch.zeros(1) for number in range(12_000)}
    path = tmp_path / "large.ckpt"
    path.write_bytes(saved({"state_dict": tensors}))

    rehearse(path)
