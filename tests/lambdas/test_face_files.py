"""Restoring faces at submission: three files, the newest of each, or a refusal that says which is missing."""

import pytest

from generate_on_cloud.contract.errors import ProblemCode
from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.params import PARAMS_BY_TASK
from generate_on_cloud.model_files.face_files import FACE_FILES, face_parts
from generate_on_cloud.model_files.family_names import Family
from lambdas.access.caller import Caller
from lambdas.aws.rows import read_rows
from lambdas.jobs.resolution import Resolution
from lambdas.problems import ProblemError
from tests.lambdas.asset_uploads import begin, complete, put_part
from tests.lambdas.cloud import PNG, SETTINGS, Aws, Cloud, open_cloud, txt2img
from tests.lambdas.model_bytes import safetensors_file, sha256_of

BOB = Caller(user="bob", role="artist")
NAMES = {Family.FACE_DETECTOR: "detection_Resnet50_Final.pth", Family.GFPGAN: "GFPGANv1.4.pth"}
NAMES |= {Family.FACE_PARSER: "parsing_parsenet.pth", Family.CODEFORMER: "codeformer-v0.1.0.pth"}
MODEL = {"face_restoration_model": "GFPGAN"}
G, C = Family.GFPGAN, Family.CODEFORMER
ASKING: dict[str, tuple[Task, dict[str, object], str, Family]] = {
    "a field": (Task.TXT2IMG, {"restore_faces": True, "override_settings": MODEL}, "/params/restore_faces", G),
    "a field alone": (Task.TXT2IMG, {"restore_faces": True}, "/params/restore_faces", C),
    "an option": (
        Task.TXT2IMG,
        {"override_settings": {**MODEL, "face_restoration": True}},
        "/params/restore_faces",
        G,
    ),
    "a script": (
        Task.TXT2IMG,
        {
            "override_settings": MODEL,
            "script_name": "Prompts from file or textbox",
            "script_args": [False, False, "start", "a\n--prompt b --restore_faces true"],
        },
        "/params/restore_faces",
        G,
    ),
    "the Extras tab": (
        Task.EXTRA_SINGLE_IMAGE,
        {"image": PNG, "gfpgan_visibility": 0.5},
        "/params/gfpgan_visibility",
        G,
    ),
    "the Extras tab, CodeFormer": (
        Task.EXTRA_SINGLE_IMAGE,
        {"image": PNG, "codeformer_visibility": 0.5},
        "/params/codeformer_visibility",
        C,
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
    upload(cloud, *FACE_FILES)
    task, body, _, restorer = ASKING[way]

    assets = resolve(cloud, task, body).assets

    assert {asset.name: asset.references for asset in assets} == {NAMES[part]: [part] for part in face_parts(restorer)}


def test_both_restorers_of_the_extras_tab_share_the_other_parts(cloud: Cloud) -> None:
    upload(cloud, *FACE_FILES)
    body: dict[str, object] = {"image": PNG, "gfpgan_visibility": 1, "codeformer_visibility": 1}

    assets = resolve(cloud, Task.EXTRA_SINGLE_IMAGE, body).assets

    assert {asset.name for asset in assets} == set(NAMES.values())


@pytest.mark.parametrize("way", ASKING)
@pytest.mark.parametrize("place", range(3))
def test_a_request_that_lacks_one_is_refused_by_its_name(cloud: Cloud, way: str, place: int) -> None:
    task, body, pointer, restorer = ASKING[way]
    missing = face_parts(restorer)[place]
    upload(cloud, *(part for part in FACE_FILES if part is not missing))

    with pytest.raises(ProblemError) as caught:
        resolve(cloud, task, body)

    (error,) = caught.value.errors
    assert caught.value.code is ProblemCode.ASSET_NOT_FOUND
    assert error.pointer == pointer
    assert error.message.startswith(f"received none, and no face_restoration with {missing} of yours")


def test_a_strangers_files_do_not_act(cloud: Cloud) -> None:
    upload(cloud, *FACE_FILES, owner="eve", trusted=False)

    with pytest.raises(ProblemError) as caught:
        resolve(cloud, *ASKING["a field"][:2])

    assert len(caught.value.errors) == 3


def test_who_restores_no_faces_needs_no_files(cloud: Cloud) -> None:
    cloud.checkpoint()

    assert resolve(cloud, Task.TXT2IMG, {"restore_faces": False}).assets == ()
    assert resolve(cloud, Task.EXTRA_SINGLE_IMAGE, {"image": PNG, "codeformer_weight": 0.5}).assets == ()


def test_webuis_default_model_is_refused_with_its_licence_and_the_way_out(cloud: Cloud) -> None:
    upload(cloud, *face_parts(Family.GFPGAN), trusted=True)

    problem = cloud.ask("POST", "/v1/jobs", txt2img(restore_faces=True)).problem(404, "asset_not_found")

    (error,) = problem["errors"]
    assert error["message"] == (
        "received none, and no face_restoration with CodeFormer of yours, an administrator's or a user you trust "
        "exists; upload one: POST /v1/assets (its licence forbids commercial use: a deployment takes it with the "
        'option noncommercial_models), or restore with GFPGAN: "face_restoration_model": "GFPGAN" in override_settings'
        ", gfpgan_visibility in Extras"
    )


@pytest.mark.parametrize("noncommercial", [False, True])
def test_codeformer_is_taken_at_upload_only_where_the_operator_chose_it(aws: Aws, noncommercial: bool) -> None:
    data = safetensors_file({"fuse_convs_dict.32.scale.0.weight": (4, 4), "position_emb": (2, 2)})
    body = {"type": "face_restoration", "name": "codeformer.safetensors", "size": len(data), "sha256": sha256_of(data)}

    with open_cloud(aws, settings=SETTINGS.model_copy(update={"NONCOMMERCIAL_MODELS": noncommercial})) as cloud:
        asset = begin(cloud, body)
        put_part(cloud, asset["asset_id"], data)
        complete(cloud, asset["asset_id"])
        shown = cloud.ask("GET", f"/v1/assets/{asset['asset_id']}").ok()

    if noncommercial:
        assert (shown["status"], shown["architecture"]) == ("active", "CodeFormer")
    else:
        assert shown["status"] == "failed"
        assert "under the S-Lab licence, for non-commercial use only" in shown["error"]
        assert "the option noncommercial_models" in shown["error"]
