"""Tables that must be complete, and the fence around the contract package."""

import ast
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import Loader

from generate_on_cloud.contract.assets import ASSET_TYPES, AssetType, asset_type_named
from generate_on_cloud.contract.errors import JOB_ERRORS, PROBLEMS, JobErrorCode, ProblemCode
from generate_on_cloud.contract.instances import GPUS, HOUR_USD, too_old
from generate_on_cloud.contract.jobs import STATUSES_BEFORE, TERMINAL, TRANSITIONS, JobStatus
from generate_on_cloud.contract.option_descriptions import OPTION_DESCRIPTIONS
from generate_on_cloud.contract.options import (
    OPTIONS,
    OptionRefusedError,
    Options,
    check_option,
    describe_options,
)
from generate_on_cloud.contract.webhooks import WebhookEvent

ROOT = Path(__file__).parents[2]


def test_every_code_type_and_status_has_its_row() -> None:
    assert set(PROBLEMS) == set(ProblemCode)
    assert set(JOB_ERRORS) == set(JobErrorCode)
    assert set(ASSET_TYPES) == set(AssetType)
    assert set(TRANSITIONS) == set(JobStatus)


def test_a_terminal_status_is_never_left() -> None:
    assert {JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELED, JobStatus.EXPIRED} == TERMINAL
    for status in JobStatus:
        assert not set(STATUSES_BEFORE[status]) & TERMINAL


def test_every_end_of_a_job_is_a_webhook_event_and_nothing_else_is() -> None:
    assert {event.value for event in WebhookEvent} == {f"job.{status}" for status in TERMINAL}


def test_an_asset_type_is_found_by_webuis_folder_name() -> None:
    assert asset_type_named("Stable-diffusion") is AssetType.CHECKPOINT
    assert asset_type_named("lora") is AssetType.LORA
    assert asset_type_named("Loras") is None


def test_every_number_among_the_options_has_an_end_on_both_sides() -> None:
    numbers = {
        key: rule
        for key, rule in OPTIONS.items()
        if isinstance(rule.default, (int, float)) and not isinstance(rule.default, bool) and not rule.allowed
    }

    assert [key for key, rule in numbers.items() if rule.minimum is None or rule.maximum is None] == []
    for key in numbers:
        for value in (1e308, -1e308, 10**400):
            with pytest.raises(OptionRefusedError, match=f"for {key}; allowed: "):
                check_option(key, value)


@pytest.mark.parametrize("key", OPTIONS)
def test_every_option_takes_its_own_default(key: str) -> None:
    assert check_option(key, OPTIONS[key].default) == OPTIONS[key].default


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("randn_source", "TPU"),
        ("CLIP_stop_at_last_layers", 13),
        ("CLIP_stop_at_last_layers", "2"),
        ("CLIP_stop_at_last_layers", True),
        ("overlay_inpaint", 1),
        ("jpeg_quality", 80.5),
        ("sd_vae", None),
    ],
)
def test_a_bad_option_value_is_refused_with_what_was_received(key: str, value: object) -> None:
    with pytest.raises(OptionRefusedError, match=f"received {value!r} for {key}; allowed: "):
        check_option(key, value)


def test_a_whole_number_passes_for_a_float_option_and_stays_one() -> None:
    value = check_option("eta_ancestral", 1)

    assert (value, type(value)) == (1, int)


def _imports(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return names | {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}


def test_the_openapi_document_describes_every_option_in_one_sentence() -> None:
    schema: dict[str, Any] = {}
    describe_options(schema)

    assert list(OPTION_DESCRIPTIONS) == list(Options.model_fields)
    for name, text in OPTION_DESCRIPTIONS.items():
        assert re.fullmatch(r"[A-Z](?!.*\. [A-Z]).*\.", text), (name, text)
        assert schema["properties"][name]["description"].startswith(text)


def test_the_contract_imports_pydantic_and_the_standard_library_only() -> None:
    for path in (ROOT / "generate_on_cloud" / "contract").glob("*.py"):
        for name in _imports(path):
            top = name.split(".")[0]
            allowed = top in sys.stdlib_module_names or top == "pydantic"
            assert allowed or name.startswith("generate_on_cloud.contract"), f"{path.name} imports {name}"


def test_the_import_linter_sees_every_package() -> None:
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}

    assert set(linter["root_packages"]) == packages
    # It looks into no folder without one, and says nothing.
    for package in packages:
        for module in (ROOT / package).rglob("*.py"):
            assert (module.parent / "__init__.py").is_file(), module


def test_every_instance_type_is_one_sagemaker_hosts_endpoints_on_and_every_price_is_of_one() -> None:
    model = Loader().load_service_model("sagemaker", "service-2")

    assert set(GPUS) <= set(model["shapes"]["ProductionVariantInstanceType"]["enum"])
    assert set(HOUR_USD) <= set(GPUS)
    assert not [name for name in GPUS if too_old(name)]


def test_every_gpu_family_that_sagemaker_hosts_since_turing_is_offered() -> None:
    model = Loader().load_service_model("sagemaker", "service-2")
    hosted = [
        name for name in model["shapes"]["ProductionVariantInstanceType"]["enum"] if re.match(r"ml\.[gp]\d", name)
    ]

    # Blackwell's p6 costs 100 dollars an hour; whoever has one says how many GPUs it has.
    assert [name for name in hosted if name not in GPUS and not too_old(name)] == [
        name for name in hosted if name.startswith("ml.p6")
    ]
