"""What the API says it can do is what the contract takes, name by name."""

from collections.abc import Iterable
from typing import Any

import pytest

from generate_on_cloud.contract import limits
from generate_on_cloud.contract.assets import AssetType, asset_type_named
from generate_on_cloud.contract.capabilities import Capabilities, capabilities
from generate_on_cloud.contract.controlnet import ControlNetUnit
from generate_on_cloud.contract.errors import JobErrorCode, ProblemCode
from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.params import PARAMS_BY_TASK
from generate_on_cloud.contract.samplers import SAMPLERS, Schedule, choose_sampler, sampler_with_alias
from generate_on_cloud.contract.selectable_scripts import read_script, titles
from generate_on_cloud.contract.upscalers import read_upscaler, upscaler_file

CAN: Capabilities = capabilities("1.2.3")


@pytest.mark.parametrize(
    ("said", "known"),
    [
        ((task.name for task in CAN.tasks), Task),
        ((sampler.name for sampler in CAN.samplers), SAMPLERS),
        ((scheduler.name for scheduler in CAN.schedulers), Schedule),
        ((kind.name for kind in CAN.asset_types), AssetType),
        ((problem.code for problem in CAN.problems), ProblemCode),
        ((error.code for error in CAN.job_errors), JobErrorCode),
    ],
)
def test_a_list_has_everything_that_there_is(said: Iterable[Any], known: Iterable[Any]) -> None:
    assert sorted(said) == sorted(known)


def test_every_sampler_and_scheduler_is_one_a_request_may_name() -> None:
    for sampler in CAN.samplers:
        for scheduler in CAN.schedulers:
            for name in (scheduler.name, scheduler.label, *scheduler.aliases):
                assert choose_sampler(sampler.name, name).schedule == scheduler.name
        assert {sampler_with_alias(alias) for alias in sampler.aliases} <= {sampler.name}
        assert sampler.default_scheduler in {scheduler.label for scheduler in CAN.schedulers}


def test_every_upscaler_is_one_a_request_may_name_and_says_which_file_it_needs() -> None:
    for upscaler in CAN.upscalers:
        read_upscaler(upscaler.name)
        assert upscaler_file(upscaler.name) == upscaler.file
    for name in CAN.latent_upscale_modes:
        read_upscaler(name, latent=True)
        with pytest.raises(ValueError, match="unknown upscaler"):
            read_upscaler(name)


def test_every_preprocessor_takes_its_sliders_ends_and_nothing_beyond() -> None:
    for module in CAN.controlnet.modules:
        for name in (module.name, *module.aliases):
            for field, slider in (("threshold_a", module.threshold_a), ("threshold_b", module.threshold_b)):
                for value in (slider.minimum, slider.default, slider.maximum):
                    assert ControlNetUnit(module=name, model="m", **{field: value}).module == module.name
                with pytest.raises(ValueError, match="allowed"):
                    ControlNetUnit(module=name, model="m", **{field: slider.maximum + 1})


def test_every_script_takes_its_own_defaults_and_is_listed_at_its_tasks() -> None:
    for script in CAN.scripts:
        defaults = [None if one.ignored else one.default for one in script.arguments]
        for task in script.tasks:
            assert read_script(script.name, defaults, task) is not None
    for info in CAN.tasks:
        assert info.scripts == ([*titles(info.name)] if info.needs_checkpoint else [])


@pytest.mark.parametrize("task", CAN.tasks, ids=lambda task: task.name)
def test_a_task_names_the_schema_of_its_params_and_the_always_on_scripts_that_it_takes(task: Any) -> None:
    params = PARAMS_BY_TASK[task.name]

    assert task.params_schema == params.__name__
    assert task.needs_checkpoint == (task.name in (Task.TXT2IMG, Task.IMG2IMG))
    if task.needs_checkpoint:
        picture = {"init_images": ["QQ=="]} if task.name is Task.IMG2IMG else {}
        for title in task.alwayson_scripts:
            params.model_validate({**picture, "alwayson_scripts": {title: {"args": []}}})
        with pytest.raises(ValueError, match="allowed: " + ", ".join(task.alwayson_scripts)):
            params.model_validate({**picture, "alwayson_scripts": {"Freedom": {"args": []}}})


def test_the_limits_are_those_of_the_contract() -> None:
    for name in vars(limits):
        if name.isupper():
            assert CAN.limits[name.lower()] == getattr(limits, name)


def test_every_asset_type_is_found_by_its_folder_in_webui() -> None:
    for kind in CAN.asset_types:
        assert asset_type_named(kind.webui_folder) is kind.name
