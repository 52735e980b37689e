"""TAESD at submission: the file is found by WebUI's name for the checkpoint's family, or the request is refused."""

import pytest

from generate_on_cloud.contract.errors import ProblemCode
from generate_on_cloud.contract.params import Txt2ImgParams
from generate_on_cloud.model_files.family_names import Family
from lambdas.access.caller import Caller
from lambdas.aws.rows import read_rows
from lambdas.jobs.resolution import Resolution
from lambdas.problems import ProblemError
from tests.lambdas.cloud import Cloud

BOB = Caller(user="bob", role="artist")
METHODS = ("sd_vae_encode_method", "sd_vae_decode_method")


def resolve(cloud: Cloud, **settings: str) -> Resolution:
    services = cloud.services
    asked = services.resolver.ask("dream", Txt2ImgParams(override_settings=settings), caller=BOB)
    return services.resolver.resolve(asked, read_rows(cloud.dynamodb, services.assets.keys(asked.references)))


def tiny(cloud: Cloud, name: str, **more: object) -> None:
    cloud.asset("vae", name, **{"architecture": Family.TINY_VAE, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("family", "uploaded", "method", "used"),
    [
        (Family.SD1, ["taesd.safetensors"], METHODS[1], ["taesd.safetensors"]),
        (Family.SD2, ["taesd_decoder.pth", "taesd_encoder.pth"], METHODS[1], ["taesd_decoder.pth"]),
        (Family.SD1, ["taesd_decoder.pth", "taesd_encoder.pth"], METHODS[0], ["taesd_encoder.pth"]),
        (Family.SD1, ["taesd.pth", "taesd_encoder.pth"], METHODS[0], ["taesd_encoder.pth"]),
        (Family.SDXL, ["taesd.pth", "taesdxl.safetensors"], METHODS[0], ["taesdxl.safetensors"]),
        (Family.SDXL_INPAINT, ["taesdxl_decoder.pth"], METHODS[1], ["taesdxl_decoder.pth"]),
        (None, ["taesd.pth"], METHODS[1], ["taesd.pth"]),
        (Family.SD1, ["taesd_decoder.pth"], "show_progress_type", ["taesd_decoder.pth"]),
    ],
)
def test_the_file_of_the_checkpoints_family_comes_along(
    cloud: Cloud, family: Family | None, uploaded: list[str], method: str, used: list[str]
) -> None:
    cloud.asset("checkpoint", "dream.safetensors", architecture=family)
    for name in uploaded:
        tiny(cloud, name)

    assert [asset.name for asset in resolve(cloud, **{method: "TAESD"}).assets] == used


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "uploaded",
    [
        {},
        {"taesdxl.pth": {}},
        {"taesd.pth": {"status": "uploading"}},
        {"taesd.pth": {"owner": "eve", "trusted": False}},
        {"taesd.pth": {"architecture": None}},
    ],
    ids=["nothing", "another family's", "not yet there", "a stranger's", "a whole VAE of that name"],
)
def test_without_it_the_request_is_refused_with_the_names_that_are_looked_for(
    cloud: Cloud, method: str, uploaded: dict[str, dict[str, object]]
) -> None:
    cloud.asset("checkpoint", "dream.safetensors", architecture=Family.SD1)
    for name, more in uploaded.items():
        tiny(cloud, name, **more)

    with pytest.raises(ProblemError) as caught:
        resolve(cloud, **{method: "TAESD"})

    assert caught.value.code is ProblemCode.ASSET_NOT_FOUND
    (error,) = caught.value.errors
    part = "encoder" if method == METHODS[0] else "decoder"
    assert error.pointer == f"/params/override_settings/{method}"
    assert f"is called taesd_{part} or taesd; upload it as a vae" in error.message


def test_previews_without_it_are_made_roughly_with_a_warning(cloud: Cloud) -> None:
    cloud.asset("checkpoint", "dream.safetensors", architecture=Family.SD1)

    resolution = resolve(cloud, show_progress_type="TAESD")

    (warning,) = resolution.warnings
    assert resolution.assets == ()
    assert warning.pointer == "/params/override_settings/show_progress_type"
    assert warning.message.endswith("the previews are made without one")


def test_a_tiny_vae_is_no_vae_to_draw_with(cloud: Cloud) -> None:
    cloud.checkpoint()
    tiny(cloud, "taesd.pth")

    with pytest.raises(ProblemError) as caught:
        resolve(cloud, sd_vae="taesd")

    (error,) = caught.value.errors
    assert error.pointer == "/params/override_settings/sd_vae"
    assert error.message.startswith("taesd.pth is a tiny VAE; allowed: a whole one here")


def test_a_tiny_vae_that_is_called_like_the_checkpoint_does_not_act_on_it(cloud: Cloud) -> None:
    cloud.checkpoint()
    tiny(cloud, "dream.vae.pt")

    assert resolve(cloud).assets == ()
