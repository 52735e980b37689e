"""A job finds its files by whatever its params call them."""

from dataclasses import replace
from pathlib import Path

import pytest

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from inference_container.models.files import JobFiles, ModelFile

FILE = ModelFile(AssetType.LORA, "Ink Style.safetensors", Path("unused"), "0" * 64, references=("0198-id",))


@pytest.mark.parametrize("name", ["Ink Style.safetensors", "Ink Style", "ink style", "0198-ID"])
def test_a_file_is_called_by_its_name_its_stem_or_a_reference_in_any_case(name: str) -> None:
    assert JobFiles([FILE]).named(AssetType.LORA, name) is FILE


def test_a_file_that_was_not_given_is_told_beside_those_that_were() -> None:
    files = JobFiles([FILE, replace(FILE, type=AssetType.VAE, name="other.pt")])

    with pytest.raises(JobFailed) as failed:
        files.named(AssetType.LORA, "other")

    assert failed.value.error.code is JobErrorCode.ASSET_MISSING
    assert failed.value.error.message == "received no lora called 'other'; given: Ink Style.safetensors"
