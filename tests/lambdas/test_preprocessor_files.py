"""Preprocessors with networks at submission: their files come along, or the refusal names the one that is missing."""

import pytest

from generate_on_cloud.contract.errors import ProblemCode
from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.params import PARAMS_BY_TASK
from generate_on_cloud.contract.preprocessors import PREPROCESSORS
from generate_on_cloud.model_files.preprocessor_files import PREPROCESSOR_FILES
from lambdas.access.caller import Caller
from lambdas.aws.rows import read_rows
from lambdas.jobs.resolution import Resolution
from lambdas.problems import ProblemError
from tests.lambdas.cloud import PNG, Cloud

BOB = Caller(user="bob", role="artist")
WITH_FILES = [name for name, rule in PREPROCESSORS.items() if rule.files]
NAMES = [(name, spelled) for name in WITH_FILES for spelled in (name, *PREPROCESSORS[name].other_names)]


def unit(module: str, **more: object) -> dict[str, object]:
    return {"model": "edges", "module": module, "image": PNG, **more}


def resolve(cloud: Cloud, *units: dict[str, object]) -> Resolution:
    services = cloud.services
    body = {"alwayson_scripts": {"ControlNet": {"args": [*units]}}}
    params = PARAMS_BY_TASK[Task.TXT2IMG].model_validate(body)
    asked = services.resolver.ask("dream", params, caller=BOB)
    return services.resolver.resolve(asked, read_rows(cloud.dynamodb, services.assets.keys(asked.references)))


def upload(cloud: Cloud, *files: str, **more: object) -> None:
    cloud.checkpoint()
    cloud.asset("controlnet", "edges.safetensors")
    for file in files:
        cloud.asset("preprocessor", file, architecture=PREPROCESSOR_FILES[file].family, **more)  # type: ignore[arg-type]


def used(resolution: Resolution) -> set[str]:
    return {asset.name for asset in resolution.assets if asset.type == "preprocessor"}


@pytest.mark.parametrize(("module", "spelled"), NAMES)
def test_a_preprocessor_brings_its_own_files_and_no_others(cloud: Cloud, module: str, spelled: str) -> None:
    upload(cloud, *PREPROCESSOR_FILES)

    assert used(resolve(cloud, unit(spelled))) == set(PREPROCESSORS[module].files)


@pytest.mark.parametrize(("module", "spelled"), NAMES)
def test_a_unit_whose_file_is_missing_is_refused_by_its_name(cloud: Cloud, module: str, spelled: str) -> None:
    missing = PREPROCESSORS[module].files[0]
    upload(cloud, *(file for file in PREPROCESSOR_FILES if file != missing))

    with pytest.raises(ProblemError) as caught:
        resolve(cloud, unit("none"), unit(spelled))

    (error,) = caught.value.errors
    assert caught.value.code is ProblemCode.ASSET_NOT_FOUND
    assert error.pointer == "/params/alwayson_scripts/ControlNet/args/1/module"
    assert error.message.startswith(f"received none, and no preprocessor called {missing} of yours")
    assert "upload one: POST /v1/assets" in error.message


@pytest.mark.parametrize(
    "masked",
    [
        {"mask": PNG},
        {"mask_image": PNG},
        {"image": {"image": PNG, "mask": PNG}},
        {"image": [PNG, PNG]},
    ],
)
def test_a_unit_whose_mask_may_take_its_pictures_place_goes_without_the_file(
    cloud: Cloud, masked: dict[str, object]
) -> None:
    upload(cloud)

    assert used(resolve(cloud, unit("softedge_hed", **masked))) == set()
    with pytest.raises(ProblemError, match="no preprocessor called ControlNetHED"):
        resolve(cloud, unit("softedge_hed", **masked), unit("scribble_hed"))
    with pytest.raises(ProblemError, match="no preprocessor called ControlNetLama"):
        resolve(cloud, unit("inpaint_only+lama", **masked))

    cloud.asset("preprocessor", "ControlNetHED.pth", architecture=PREPROCESSOR_FILES["ControlNetHED.pth"].family)
    assert used(resolve(cloud, unit("softedge_hed", **masked))) == {"ControlNetHED.pth"}


def test_names_tell_files_with_the_same_network_apart(cloud: Cloud) -> None:
    upload(cloud, "sk_model.pth", "sk_model2.pth")
    cloud.asset("preprocessor", "my_sk_model2_fp16.safetensors", architecture=PREPROCESSOR_FILES["sk_model.pth"].family)

    coarse = [asset for asset in resolve(cloud, unit("lineart_coarse")).assets if asset.type == "preprocessor"]

    assert used(resolve(cloud, unit("lineart_realistic"))) == {"sk_model.pth"}
    assert [(asset.name, asset.references) for asset in coarse] == [
        ("my_sk_model2_fp16.safetensors", ["sk_model2.pth"])
    ], "the newest one, by the name that the container looks for"


@pytest.mark.parametrize(
    ("stem", "module"),
    [
        ("depth_anything_vits14", "depth_anything"),
        ("Depth-Anything-vitb", "depth_anything"),
        ("depth_anything_v2_vits", "depth_anything_v2"),
        ("depthanythingV2_vitb_fp16", "depth_anything_v2"),
    ],
)
def test_every_size_of_depth_anything_is_taken_for_its_version(cloud: Cloud, stem: str, module: str) -> None:
    upload(cloud)
    family = PREPROCESSOR_FILES["depth_anything_vitl14.pth"].family
    cloud.asset("preprocessor", f"{stem}.safetensors", architecture=family)

    assert used(resolve(cloud, unit(module))) == {f"{stem}.safetensors"}
    other = {"depth_anything": "depth_anything_v2", "depth_anything_v2": "depth_anything"}[module]
    with pytest.raises(ProblemError, match="no preprocessor called"):
        resolve(cloud, unit(other))


def test_a_renamed_file_is_found_by_what_it_holds(cloud: Cloud) -> None:
    upload(cloud)
    family = PREPROCESSOR_FILES["ControlNetHED.pth"].family
    cloud.asset("preprocessor", "edges of mine.safetensors", architecture=family)

    assert used(resolve(cloud, unit("scribble_hed"))) == {"edges of mine.safetensors"}


def test_a_strangers_file_does_not_act(cloud: Cloud) -> None:
    upload(cloud, "ControlNetHED.pth", owner="eve", trusted=False)

    with pytest.raises(ProblemError, match="no preprocessor called ControlNetHED"):
        resolve(cloud, unit("softedge_hed"))


def test_a_unit_that_is_off_and_a_preprocessor_without_networks_need_no_file(cloud: Cloud) -> None:
    upload(cloud)

    assert used(resolve(cloud, unit("canny"), {"enabled": False, "module": "hed"})) == set()
