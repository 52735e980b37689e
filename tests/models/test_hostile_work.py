"""Work is bounded as sizes are: small files that would take hours to read are refused at once, by upload and job."""

import time
from pathlib import Path

import pytest

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.model_files.facts import read_facts
from generate_on_cloud.model_files.memory_bytes import MemoryBytes
from generate_on_cloud.model_files.refusals import RefusedFileError
from inference_container.models.tensor_file import open_tensor_file
from tests.models.hostile_files import hostile
from tests.models.hostile_work import PICKLES, ZIPS, Row

SECONDS = 30.0
"""Of the processor: the slowest takes one, and what is not bounded takes hours. This is no measure of speed."""


@pytest.mark.parametrize("row", [*PICKLES, *ZIPS], ids=lambda row: row[0])
def test_a_file_of_little_size_and_much_work_is_refused_at_once_by_both(tmp_path: Path, row: Row) -> None:
    _, data, reason = row
    file, began = hostile(tmp_path, "ckpt", data), time.process_time()

    with pytest.raises(RefusedFileError, match=reason) as upload:
        read_facts(MemoryBytes(data), name="evil.ckpt", asset_type=AssetType.CHECKPOINT)
    inspected = time.process_time()
    with pytest.raises(JobFailed) as job, open_tensor_file(file, holding=AssetType.CHECKPOINT):
        pass

    assert inspected - began < SECONDS
    assert time.process_time() - inspected < SECONDS
    assert job.value.error.message.endswith(f": {upload.value}")
    assert job.value.error.code in (JobErrorCode.ASSET_CORRUPT, JobErrorCode.ASSET_INCOMPATIBLE)
