"""Names by which WebUI knows a file (hashes, titles, folders, aliases) in any Unicode form; ambiguity is an error."""

import unicodedata

import pytest

from generate_on_cloud.contract.errors import ProblemCode
from generate_on_cloud.contract.params import Txt2ImgParams
from lambdas.access.caller import Caller
from lambdas.aws.rows import read_rows
from lambdas.jobs.resolution import Resolution
from lambdas.problems import ProblemError
from tests.lambdas.cloud import Cloud, txt2img

BOB = Caller(user="bob", role="artist")
DREAM, OTHER = "6ce0161689" + "a" * 54, "6ce0161689" + "b" * 54
GLASS = "ガラス玉"
DECOMPOSED = unicodedata.normalize("NFD", GLASS)


def resolve(cloud: Cloud, checkpoint: str | None = "dream", **params: object) -> Resolution:
    asked = cloud.services.resolver.ask(checkpoint, Txt2ImgParams.model_validate(params), caller=BOB)
    rows = read_rows(cloud.dynamodb, cloud.services.assets.keys(asked.references), consistent=True)
    return cloud.services.resolver.resolve(asked, rows)


@pytest.mark.parametrize(
    "said",
    [
        *("6ce0161689", "6CE0161689", "6ce01616", DREAM, "dream", "dream.safetensors", "dream [6ce0161689]"),
        *("dream.safetensors [6ce0161689]", "anime/dream.safetensors [6ce0161689]", "anime/dream", "anime\\dream"),
    ],
)
def test_a_checkpoint_has_all_names_that_webui_knows_it_by_wherever_it_is_named(cloud: Cloud, said: str) -> None:
    dream = cloud.checkpoint(sha256=DREAM)
    cloud.checkpoint("other.safetensors", sha256="f" * 64)

    by_field = resolve(cloud, said)
    by_option = resolve(cloud, None, override_settings={"sd_model_checkpoint": said})
    as_refiner = resolve(cloud, "other", refiner_checkpoint=said)

    for ref in (by_field.checkpoint, by_option.checkpoint, as_refiner.assets[0]):
        assert ref is not None
        assert ref.asset_id == dream
    # The container has no row to look a hash up in.
    assert said in as_refiner.assets[0].references or said in ("dream", "dream.safetensors")


def test_a_hash_of_several_checkpoints_is_ambiguous_and_the_whole_hash_is_not(cloud: Cloud) -> None:
    cloud.checkpoint(sha256=DREAM)
    other = cloud.checkpoint("other.safetensors", sha256=OTHER)

    with pytest.raises(ProblemError) as several:
        resolve(cloud, "6ce0161689")
    whole = resolve(cloud, OTHER).checkpoint

    assert several.value.errors[0].message == (
        "received '6ce0161689', which matches several assets: dream.safetensors, other.safetensors; "
        "allowed: the full file name"
    )
    assert whole is not None
    assert whole.asset_id == other


def test_a_file_whose_name_looks_like_a_hash_goes_before_the_hash(cloud: Cloud) -> None:
    named = cloud.checkpoint("6ce0161689.safetensors", sha256="f" * 64)
    cloud.checkpoint(sha256=DREAM)

    found = resolve(cloud, "6ce0161689").checkpoint

    assert found is not None
    assert found.asset_id == named


@pytest.mark.parametrize("said", ["6ce0161", "e0161689", "nonsense", "6ce01616891"])
def test_what_is_no_hash_of_a_checkpoint_is_not_found(cloud: Cloud, said: str) -> None:
    cloud.checkpoint(sha256=DREAM)
    cloud.asset("vae", "amber.safetensors", sha256="6ce01616891" + "0" * 53)

    with pytest.raises(ProblemError) as unknown:
        resolve(cloud, said)
    assert unknown.value.code is ProblemCode.ASSET_NOT_FOUND


def test_a_job_that_is_opened_before_its_params_may_name_a_hash_too(cloud: Cloud) -> None:
    cloud.checkpoint(sha256=DREAM)

    cloud.ask("POST", "/v1/jobs", {**txt2img(), "checkpoint": "6ce0161689"}).ok(201)
    cloud.ask("POST", "/v1/jobs", {"task": "txt2img", "checkpoint": "6ce0161689"}).ok(201)


@pytest.mark.parametrize("stored", [GLASS, DECOMPOSED])
@pytest.mark.parametrize("said", [GLASS, DECOMPOSED])
@pytest.mark.parametrize("kind", ["lora", "embedding", "checkpoint", "vae"])
def test_files_of_older_releases_are_found_in_either_form_of_their_names(
    cloud: Cloud, kind: str, stored: str, said: str
) -> None:
    cloud.checkpoint()
    asset_id = cloud.asset(kind, f"{stored}.safetensors")
    requests: dict[str, dict[str, object]] = {
        "lora": {"prompt": f"<lora:{said}:1>"},
        "embedding": {"prompt": f"a cat, ({said}:1.2), dusk"},
        "vae": {"override_settings": {"sd_vae": said}},
        "checkpoint": {"refiner_checkpoint": said},
    }

    assert [asset.asset_id for asset in resolve(cloud, "dream", **requests[kind]).assets] == [asset_id]


@pytest.mark.parametrize("said", ["twin", "styles/twin"])
def test_an_alias_of_two_loras_is_ambiguous_unless_one_file_is_called_so(cloud: Cloud, said: str) -> None:
    cloud.checkpoint()
    cloud.asset("lora", "twin-1.safetensors", alias="twin")
    cloud.asset("lora", "twin-2.safetensors", alias="twin")

    with pytest.raises(ProblemError) as refused:
        resolve(cloud, prompt=f"<lora:{said}:1>")
    named = cloud.asset("lora", "twin.safetensors")

    ambiguous = said == "twin"
    assert ("twin-1.safetensors, twin-2.safetensors; allowed" in refused.value.errors[0].message) is ambiguous
    assert [asset.asset_id for asset in resolve(cloud, prompt=f"<lora:{said}:1>").assets] == [named]
