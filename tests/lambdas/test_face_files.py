"""Restoring faces at submission: three files, the newest of each, or a refusal that says which is missing."""

import pytest

from generate_on_cloud.contract.errors import ProblemCode
from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.params import PARAMS_BY_TASK
from generate_on_cloud.model_files.face_files import FACE_PARTS
from generate_on_cloud.model_files.family_names import Family
from lambdas.access.caller import Caller
from lambdas.aws.rows import read_rows
from lambdas.jobs.resolution import Resolution
from lambdas.problems import ProblemError
from tests.lambdas.cloud import PNG, Cloud, txt2img

BOB = Caller(user="bob", role="artist")
NAMES = {Family.FACE_DETECTOR: "detection_Resnet50_Final.pth", Family.GFPGAN: "GFPGANv1.4.pth"}
NAMES[Family.FACE_PARSER] = "parsing_parsenet.pth"
MODEL = {"face_restoration_model": "GFPGAN"}
ASKING: dict[str, tuple[Task, dict[str, object], str]] = {
    "a field": (Task.TXT2IMG, {"restore_faces": True, "override_settings": MODEL}, "/params/restore_faces"),
    "an option": (
        Task.TXT2IMG,
        {"override_settings": {**MODEL, "face_restoration": True}},
        "/params/restore_faces",
    ),
    "a script": (
        Task.TXT2IMG,
        {
            "override_settings": MODEL,
            "script_name": "Prompts from file or textbox",
            "script_args": [False, False, "start", "a\n--prompt b --restore_faces true"],
        },
        "/params/restore_faces",
    ),
    "the Extras tab": (
        Task.EXTRA_SINGLE_IMAGE,
        {"image": PNG, "gfpgan_visibility": 0.5},
        "/params/gfpgan_visibility",
    ),
}


def resolve(cloud: Cloud, task: Task, body: dict[str, object]) -> Resolution:
    services = cloud.services
    params = PARAMS_BY_TASK[task].model_validate(body)
    assert params.unsupported() == []
    asked = services.resolver.ask("dream" if task is Task.TXT2IMG else None, params, caller=BOB)
    return services.resolver.resolve(asked, read_rows(cloud.dynamodb, services.assets.keys(asked.references)))


def upload(cloud: Cloud, *families: Family, **more: object) -> None:
    cloud.checkpoint()
    for family in families:
        cloud.asset("face_restoration", NAMES[family], architecture=family, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("way", ASKING)
def test_the_three_files_come_along_under_what_they_hold(cloud: Cloud, way: str) -> None:
    upload(cloud, *FACE_PARTS)
    task, body, _ = ASKING[way]

    assets = resolve(cloud, task, body).assets

    assert {asset.name: asset.references for asset in assets} == {NAMES[part]: [part] for part in FACE_PARTS}


@pytest.mark.parametrize("way", ASKING)
@pytest.mark.parametrize("missing", FACE_PARTS)
def test_a_request_that_lacks_one_is_refused_by_its_name(cloud: Cloud, way: str, missing: Family) -> None:
    upload(cloud, *(part for part in FACE_PARTS if part is not missing))
    task, body, pointer = ASKING[way]

    with pytest.raises(ProblemError) as caught:
        resolve(cloud, task, body)

    (error,) = caught.value.errors
    assert caught.value.code is ProblemCode.ASSET_NOT_FOUND
    assert error.pointer == pointer
    assert error.message.startswith(f"received none, and no face_restoration with {missing} of yours")


def test_a_strangers_files_do_not_act(cloud: Cloud) -> None:
    upload(cloud, *FACE_PARTS, owner="eve", trusted=False)

    with pytest.raises(ProblemError) as caught:
        resolve(cloud, *ASKING["a field"][:2])

    assert len(caught.value.errors) == len(FACE_PARTS)


def test_who_restores_no_faces_needs_no_files(cloud: Cloud) -> None:
    cloud.checkpoint()

    assert resolve(cloud, Task.TXT2IMG, {"restore_faces": False}).assets == ()
    assert resolve(cloud, Task.EXTRA_SINGLE_IMAGE, {"image": PNG, "codeformer_weight": 0.5}).assets == ()


def test_webuis_default_model_is_refused_with_the_one_that_is_there(cloud: Cloud) -> None:
    cloud.checkpoint()

    problem = cloud.ask("POST", "/v1/jobs", txt2img(restore_faces=True)).problem(422, "not_supported_yet")

    (error,) = problem["errors"]
    assert error["message"] == (
        "restore_faces = True with face_restoration_model = 'CodeFormer', WebUI's default, is not supported yet; "
        "'GFPGAN' in override_settings is"
    )
