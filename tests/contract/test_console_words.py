"""Every code and status of the contract has a sentence in the three languages of the web console."""

import json
from enum import StrEnum
from pathlib import Path

import pytest

from generate_on_cloud.contract.assets import AssetStatus, AssetType
from generate_on_cloud.contract.endpoints import EndpointStatus
from generate_on_cloud.contract.errors import JobErrorCode, ProblemCode
from generate_on_cloud.contract.jobs import JobPhase, JobStatus

LOCALES = Path(__file__).resolve().parents[2] / "console" / "src" / "locales"
GROUPS: dict[str, type[StrEnum]] = {
    "problem": ProblemCode,
    "jobError": JobErrorCode,
    "status": JobStatus,
    "phase": JobPhase,
    "assetStatus": AssetStatus,
    "assetType": AssetType,
    "endpointStatus": EndpointStatus,
}


@pytest.mark.parametrize("language", ["en", "ja", "zh-Hans"])
@pytest.mark.parametrize("group", GROUPS)
def test_every_word_of_the_contract_has_a_sentence(language: str, group: str) -> None:
    sentences = json.loads((LOCALES / f"{language}.json").read_text())[group]

    assert [word.value for word in GROUPS[group] if not sentences.get(word.value)] == []
