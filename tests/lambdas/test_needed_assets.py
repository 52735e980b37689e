"""The model files a request names: found in a bounded number of calls, all faults told at once."""

import unicodedata

import pytest

from generate_on_cloud.contract.asset_bodies import CreateAsset
from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.errors import ProblemCode
from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.messages import AssetRef
from generate_on_cloud.contract.options import Options
from generate_on_cloud.contract.params import PARAMS_BY_TASK, Txt2ImgParams
from generate_on_cloud.contract.task_params import TaskParams
from lambdas.access.caller import Caller
from lambdas.aws.rows import read_rows
from lambdas.jobs.needed_assets import MENTIONED, NAMED, NEWEST, FieldRow, Need, OptionRow, named_assets
from lambdas.jobs.resolution import Resolution
from lambdas.problems import ProblemError
from tests.lambdas.cloud import PNG, Cloud, txt2img

BOB = Caller(user="bob", role="artist")


def test_every_row_names_a_field_or_option_that_requests_have() -> None:
    fields = {field for params in PARAMS_BY_TASK.values() for field in params.model_fields}

    assert {row.field for row in NAMED if isinstance(row, FieldRow)} <= fields
    assert {row.option for row in NAMED if isinstance(row, OptionRow)} <= set(Options.model_fields)
    assert [field for params, field, _ in NEWEST if field not in params.model_fields] == []


def resolve_files(cloud: Cloud, checkpoint: str | None, params: TaskParams) -> Resolution:
    services = cloud.services
    asked = services.resolver.ask(checkpoint, params, caller=BOB)
    rows = read_rows(cloud.dynamodb, services.assets.keys(asked.references), consistent=True)
    return services.resolver.resolve(asked, rows)


def resolve(cloud: Cloud, checkpoint: str | None = "dream", **params: object) -> Resolution:
    return resolve_files(cloud, checkpoint, Txt2ImgParams.model_validate(params))


def told(files: Resolution) -> dict[str, list[str]]:
    return {asset.name: asset.references for asset in files.assets}


@pytest.mark.parametrize(
    ("params", "needs"),
    [
        ({}, []),
        (
            {"prompt": "a <lora:ink:0.5> <lyco:wax> <hypernet:old:1> <other:x>"},
            [
                Need(AssetType.LORA, "ink", "/params/prompt"),
                Need(AssetType.LORA, "wax", "/params/prompt"),
                Need(AssetType.HYPERNETWORK, "old", "/params/prompt"),
            ],
        ),
        ({"hr_prompt": "<lora:ink>"}, []),
        (
            {"hr_prompt": "<lora:ink>", "enable_hr": True, "denoising_strength": 0.5},
            [Need(AssetType.LORA, "ink", "/params/hr_prompt")],
        ),
        ({"negative_prompt": "<lora:ink>"}, []),
        ({"prompt": "<lora:ink>", "disable_extra_networks": True}, []),
        ({"prompt": "a # <lora:ink>"}, []),
        ({"prompt": "<lora:ink> and <lora:ink>"}, [Need(AssetType.LORA, "ink", "/params/prompt")]),
        ({"override_settings": {"sd_vae": "None"}}, []),
        ({"override_settings": {"sd_lora": "None"}}, []),
        (
            {"override_settings": {"sd_lora": "ink"}},
            [Need(AssetType.LORA, "ink", "/params/override_settings/sd_lora")],
        ),
        (
            {"override_settings": {"sd_hypernetwork": "old"}},
            [Need(AssetType.HYPERNETWORK, "old", "/params/override_settings/sd_hypernetwork")],
        ),
        ({"refiner_checkpoint": "None"}, []),
        ({"refiner_checkpoint": "r"}, [Need(AssetType.CHECKPOINT, "r", "/params/refiner_checkpoint")]),
        ({"hr_checkpoint_name": "h"}, []),
        (
            {"hr_checkpoint_name": "h", "enable_hr": True, "denoising_strength": 0.5},
            [Need(AssetType.CHECKPOINT, "h", "/params/hr_checkpoint_name")],
        ),
        (
            {"hr_upscaler": "R-ESRGAN 4x+", "enable_hr": True, "denoising_strength": 0.5},
            [Need(AssetType.UPSCALER, "R-ESRGAN 4x+", "/params/hr_upscaler", "RealESRGAN_x4plus")],
        ),
        ({"hr_upscaler": "Latent", "enable_hr": True, "denoising_strength": 0.5}, []),
        ({"override_settings": {"upscaler_for_img2img": "Lanczos"}}, []),
        (
            {"override_settings": {"upscaler_for_img2img": "4x-sharp"}},
            [Need(AssetType.UPSCALER, "4x-sharp", "/params/override_settings/upscaler_for_img2img")],
        ),
        (
            {"hr_checkpoint_name": "Use same checkpoint", "enable_hr": True, "denoising_strength": 0.5},
            [],
        ),
    ],
)
def test_every_place_that_names_a_file_is_found(params: dict[str, object], needs: list[Need]) -> None:
    assert named_assets(Txt2ImgParams.model_validate(params)) == needs


@pytest.mark.parametrize("vae", ["kl-f8", "kl-f8.safetensors"])
def test_an_option_names_the_vae(vae: str) -> None:
    params = Txt2ImgParams(override_settings={"sd_vae": vae})

    assert named_assets(params) == [Need(AssetType.VAE, vae, "/params/override_settings/sd_vae")]


def test_units_of_controlnet_name_their_models_unless_they_are_off() -> None:
    units = [{"model": "canny [d14c016b]"}, {"model": "None"}, {"enabled": False, "model": "depth"}, "odd", {}]
    params = Txt2ImgParams().model_copy(update={"alwayson_scripts": {"controlnet": {"args": units}}})

    (need,) = named_assets(params)

    pointer = "/params/alwayson_scripts/controlnet/args/0/model"
    assert need == Need(AssetType.CONTROLNET, "canny [d14c016b]", pointer)


def test_files_come_with_the_words_that_mean_them(cloud: Cloud) -> None:
    dream = cloud.checkpoint(sha256="6ce0161689" + "0" * 54)
    ink = cloud.asset("lora", "ink.safetensors")
    cloud.asset("hypernetwork", "old.pt")
    cloud.asset("lora", "unused.safetensors")
    cloud.asset("upscaler", "RealESRGAN_x4plus.pth")

    files = resolve(
        cloud,
        "dream.safetensors [6ce0161689]",
        prompt=f"<lora:{ink}:1> <lora:ink.safetensors> <hypernet:old:1>",
        refiner_checkpoint="dream",
        override_settings={"upscaler_for_img2img": "R-ESRGAN 4x+"},
    )

    assert files.checkpoint is not None
    assert (files.checkpoint.asset_id, files.checkpoint.references) == (dream, ["dream.safetensors [6ce0161689]"])
    assert told(files) == {
        "ink.safetensors": [ink],
        "old.pt": [],
        "RealESRGAN_x4plus.pth": ["R-ESRGAN 4x+"],
    }


def test_a_lora_is_found_by_its_alias_where_no_file_is_called_so(cloud: Cloud) -> None:
    cloud.asset("checkpoint", "dream.safetensors")
    cloud.asset("lora", "ink-v3.safetensors", alias="ink")
    cloud.asset("lora", "wax.safetensors", alias="candle")
    cloud.asset("lora", "candle.safetensors")
    cloud.asset("lora", "twin-1.safetensors", alias="twin")
    cloud.asset("lora", "twin-2.safetensors", alias="twin")
    cloud.asset("embedding", "other.pt", alias="blot")

    found = told(resolve(cloud, prompt="<lora:ink> <lora:candle>"))
    with pytest.raises(ProblemError) as several:
        resolve(cloud, prompt="<lora:twin>")
    with pytest.raises(ProblemError) as none:
        resolve(cloud, prompt="<lora:Ink> <lora:blot>")

    assert found == {"ink-v3.safetensors": ["ink"], "candle.safetensors": []}
    assert "twin-1.safetensors, twin-2.safetensors" in str(several.value.errors[0].message)
    assert none.value.code is ProblemCode.ASSET_NOT_FOUND


def test_the_title_of_a_controlnet_has_another_hash(cloud: Cloud) -> None:
    cloud.asset("controlnet", "canny.pth", sha256="a" * 64)

    wanted = (AssetType.CONTROLNET, "canny [d14c016b]")
    found = cloud.assets.find([wanted], BOB)

    assert len(found[wanted]) == 1


@pytest.mark.parametrize("said", ["dream", "dream.safetensors", "{id}"])
@pytest.mark.parametrize("vae", ["dream.vae.pt", "dream.vae.safetensors"])
def test_an_automatic_vae_is_the_active_one_called_like_the_checkpoint(cloud: Cloud, said: str, vae: str) -> None:
    dream = cloud.checkpoint()
    cloud.asset("vae", vae)
    cloud.asset("vae", "other.vae.pt")

    assert told(resolve(cloud, said.replace("{id}", dream))) == {vae: ["Automatic"]}


def test_an_automatic_vae_is_not_that_of_a_shorter_name(cloud: Cloud) -> None:
    cloud.checkpoint("v1.5.safetensors")
    cloud.asset("vae", "v1.vae.pt")
    cloud.asset("vae", "v1.5.vae.pt", status="uploading")

    assert told(resolve(cloud, "v1.5")) == {}


def test_embeddings_named_in_any_prompt_come_along(cloud: Cloud) -> None:
    cloud.checkpoint()
    for name in ("BadHands.pt", "moss.safetensors", "unused.pt"):
        cloud.asset("embedding", name)
    cloud.asset("embedding", "waiting.pt", status="uploading")

    files = resolve(cloud, prompt="a (moss:1.2), waiting", negative_prompt="badhands")

    assert sorted(told(files)) == ["BadHands.pt", "moss.safetensors"]


def test_every_fault_of_the_named_files_comes_in_one_answer(cloud: Cloud) -> None:
    cloud.asset("lora", "ink.safetensors")
    cloud.asset("lora", "twin.safetensors")
    cloud.asset("lora", "twin.pt")
    cloud.asset("lora", "wet.pt", status="uploading")

    with pytest.raises(ProblemError) as caught:
        resolve(cloud, "nope", prompt="<lora:gone> <lora:wet> <lora:ink> <lora:twin>", refiner_checkpoint="none such")

    assert caught.value.code == "invalid_params"
    messages = [(error.pointer, error.message) for error in caught.value.errors]
    assert messages == [
        ("/checkpoint", "received 'nope'; no such checkpoint exists; no checkpoint is uploaded yet"),
        (
            "/params/refiner_checkpoint",
            "received 'none such'; no such checkpoint exists; no checkpoint is uploaded yet",
        ),
        (
            "/params/prompt",
            "received 'gone'; no such lora exists; available: ink.safetensors, twin.pt, twin.safetensors",
        ),
        ("/params/prompt", "wet.pt is uploading; allowed: an active lora"),
        (
            "/params/prompt",
            "received 'twin', which matches several assets: twin.pt, twin.safetensors; allowed: the full file name",
        ),
    ]


def test_many_files_take_no_more_calls_than_one(cloud: Cloud) -> None:
    cloud.checkpoint()
    names = [f"style{number}" for number in range(12)]
    for name in names:
        cloud.asset("lora", f"{name}.safetensors")
    cloud.counted()

    files = resolve(cloud, prompt=" ".join(f"<lora:{name}>" for name in names))

    assert [asset.name for asset in files.assets] == [f"{name}.safetensors" for name in names]
    assert cloud.counted() == 3


def test_a_request_that_names_too_many_files_is_refused_before_any_is_looked_for(cloud: Cloud) -> None:
    cloud.counted()

    with pytest.raises(ProblemError) as caught:
        resolve(cloud, prompt=" ".join(f"<lora:{number}>" for number in range(5000)))

    assert (caught.value.code, caught.value.errors[0].pointer) == ("invalid_params", "/params/prompt")
    assert cloud.counted() == 0


def test_a_file_is_told_to_the_container_as_the_contract_has_it(cloud: Cloud) -> None:
    cloud.checkpoint()
    ink = cloud.asset("lora", "ink.safetensors", sha256="b" * 64)

    (asset,) = resolve(cloud, prompt="<lora:ink>").assets

    assert asset == AssetRef(
        asset_id=ink,
        type=AssetType.LORA,
        name="ink.safetensors",
        key=f"assets/{ink}/ink.safetensors",
        size=10,
        sha256="b" * 64,
    )


STYLES = """name,prompt,negative_prompt
ink,"{prompt}, drawn <lora:ink:0.5>",blurred
plain,simple,
broken,(a:1.2.3),
"""


def test_networks_and_embeddings_that_styles_name_are_found_with_the_styles_files(cloud: Cloud) -> None:
    cloud.checkpoint()
    cloud.styles("styles.csv", STYLES)
    cloud.asset("lora", "ink.safetensors")
    cloud.asset("embedding", "blurred.pt")

    files = resolve(cloud, prompt="a cat", styles=["ink"])

    assert set(told(files)) == {"styles.csv", "ink.safetensors", "blurred.pt"}
    assert set(told(resolve(cloud, prompt="a cat", styles=["plain"]))) == {"styles.csv"}
    assert set(told(resolve(cloud, prompt="a cat"))) == set()


@pytest.mark.parametrize(
    ("text", "styles", "reason"),
    [
        (STYLES, ["oil"], "unknown style 'oil'; allowed: ink, plain, broken"),
        (STYLES, ["plain", "broken"], "1.2.3"),
        (
            "title,text\noil,x\n",
            ["oil"],
            "styles.csv is not a styles file: its first line names the columns title, text",
        ),
    ],
)
def test_styles_that_cannot_be_applied_are_refused_before_the_job_is_queued(
    cloud: Cloud, text: str, styles: list[str], reason: str
) -> None:
    cloud.checkpoint()
    cloud.styles("styles.csv", text)

    with pytest.raises(ProblemError) as caught:
        resolve(cloud, prompt="a cat", styles=styles)

    assert caught.value.code is ProblemCode.INVALID_PARAMS
    assert reason in caught.value.errors[0].message
    assert caught.value.errors[0].pointer in ("/params/styles", "/params/prompt")


def test_styles_without_a_styles_file_are_not_found(cloud: Cloud) -> None:
    cloud.checkpoint()

    with pytest.raises(ProblemError, match="no styles file is uploaded yet") as caught:
        resolve(cloud, prompt="a cat", styles=["oil"])

    assert caught.value.code is ProblemCode.ASSET_NOT_FOUND


def test_the_second_pass_takes_the_styles_of_its_own_prompt_only(cloud: Cloud) -> None:
    cloud.checkpoint()
    cloud.styles("styles.csv", "name,prompt\nswap,{prompt}{prompt}\n")
    cloud.asset("lora", "one.safetensors")

    files = resolve(cloud, prompt="x", styles=["swap"], enable_hr=True, denoising_strength=0.5, hr_prompt="<lora:one>")

    assert set(told(files)) == {"styles.csv", "one.safetensors"}


def interrogation(cloud: Cloud, task: Task = Task.INTERROGATE_CLIP, **params: object) -> Resolution:
    return resolve_files(cloud, None, PARAMS_BY_TASK[task].model_validate({"image": PNG, **params}))


def test_interrogation_takes_the_newest_model_or_the_one_it_names(cloud: Cloud) -> None:
    for name in ("zebra.zip", "apple.safetensors"):
        cloud.asset("interrogator", name)
    cloud.asset("interrogator", "later.zip", status="uploading")
    cloud.asset("tagger", "wd.zip")

    assert told(interrogation(cloud)) == {"apple.safetensors": []}
    assert told(interrogation(cloud, interrogator="zebra")) == {"zebra.zip": []}
    assert told(interrogation(cloud, Task.INTERROGATE_DEEPBOORU)) == {"wd.zip": []}
    assert interrogation(cloud).checkpoint is None


@pytest.mark.parametrize(("append", "used"), [("CLIP", "clip.zip"), ("DeepBooru", "wd.zip"), ("None", None)])
def test_a_loop_that_appends_an_interrogation_takes_the_newest_model(
    cloud: Cloud, append: str, used: str | None
) -> None:
    checkpoint = cloud.asset("checkpoint", "dream.safetensors")
    body: dict[str, object] = {
        "init_images": [PNG],
        "script_name": "Loopback",
        "script_args": [2, 0.5, "Linear", append],
    }
    params = PARAMS_BY_TASK[Task.IMG2IMG].model_validate(body)
    if used is not None:
        with pytest.raises(ProblemError) as none:
            resolve_files(cloud, checkpoint, params)
        assert [error.pointer for error in none.value.errors] == ["/params/script_args/3"]

    cloud.asset("interrogator", "clip.zip")
    cloud.asset("tagger", "wd.zip")

    assert set(told(resolve_files(cloud, checkpoint, params))) == ({used} if used else set())


def test_interrogation_without_a_model_is_refused_by_the_field_that_could_name_one(cloud: Cloud) -> None:
    with pytest.raises(ProblemError) as none:
        interrogation(cloud, Task.INTERROGATE_DEEPBOORU)
    with pytest.raises(ProblemError) as unknown:
        interrogation(cloud, interrogator="blip")

    assert none.value.code is unknown.value.code is ProblemCode.ASSET_NOT_FOUND
    assert [error.pointer for error in none.value.errors] == ["/params/tagger"]
    assert "no tagger of yours, an administrator's or a user you trust exists" in none.value.errors[0].message
    assert [error.pointer for error in unknown.value.errors] == ["/params/interrogator"]


@pytest.mark.parametrize(
    ("checkpoint", "network", "fits"),
    [
        ("Stable Diffusion 1.x", "Stable Diffusion 1.x", True),
        ("Stable Diffusion 1.x inpainting", "Stable Diffusion 1.x", True),
        ("InstructPix2Pix", "Stable Diffusion 1.x", True),
        ("Stable Diffusion 1.x", None, True),
        (None, "Stable Diffusion XL", True),
        ("Stable Diffusion 1.x", "Stable Diffusion XL", False),
        ("Stable Diffusion XL", "Stable Diffusion 2.x", False),
    ],
)
def test_a_network_made_for_another_architecture_is_refused(
    cloud: Cloud, checkpoint: str | None, network: str | None, fits: bool
) -> None:
    cloud.asset("checkpoint", "dream.safetensors", architecture=checkpoint)
    cloud.asset("lora", "ink.safetensors", architecture=network)

    if fits:
        assert told(resolve(cloud, prompt="<lora:ink>")) == {"ink.safetensors": []}
        return
    with pytest.raises(ProblemError) as caught:
        resolve(cloud, prompt="<lora:ink>")

    assert caught.value.code == "invalid_params"
    (error,) = caught.value.errors
    assert error.pointer == "/params/prompt"
    assert error.message == (
        f"ink.safetensors cannot be used: it is made for {network}, the checkpoint dream.safetensors is {checkpoint}"
    )


def test_a_name_that_went_to_another_file_is_resolved_anew(cloud: Cloud) -> None:
    old_id = cloud.checkpoint()
    first = cloud.ask("POST", "/v1/jobs", txt2img()).ok(201)
    old = cloud.assets.get(old_id)
    assert old is not None
    cloud.transitions.retire(old)
    cloud.transitions.remove(old)
    cloud.checkpoint(sha256="b" * 64)

    second = cloud.ask("POST", "/v1/jobs", txt2img()).ok(201)

    assert first["models"][0]["sha256"] != second["models"][0]["sha256"] == "b" * 64


def test_an_embedding_is_found_in_the_moment_it_is_there(cloud: Cloud) -> None:
    cloud.checkpoint()
    before = cloud.ask("POST", "/v1/jobs", txt2img(prompt="a cat")).ok(201)
    cloud.asset("embedding", "cat.safetensors")

    after = cloud.ask("POST", "/v1/jobs", txt2img(prompt="a cat")).ok(201)

    assert [model["type"] for model in before["models"]] == [AssetType.CHECKPOINT]
    assert [model["type"] for model in after["models"]] == [AssetType.CHECKPOINT, AssetType.EMBEDDING]


def test_a_request_can_name_a_file_of_every_asset_type() -> None:
    read_by_the_api = {AssetType.STYLES}

    by_what_they_do = {AssetType.FACE_RESTORATION, AssetType.PREPROCESSOR}

    assert {row.type for row in NAMED} | {*MENTIONED} | read_by_the_api | by_what_they_do == set(AssetType)


@pytest.mark.parametrize(
    ("task", "script", "needs"),
    [
        (
            Task.IMG2IMG,
            {"script_name": "SD upscale", "script_args": [None, 64, "R-ESRGAN 4x+"]},
            [Need(AssetType.UPSCALER, "R-ESRGAN 4x+", "/params/script_args/2", "RealESRGAN_x4plus")],
        ),
        (Task.IMG2IMG, {"script_name": "SD upscale", "script_args": [None, 64, "Lanczos"]}, []),
        (
            Task.TXT2IMG,
            {"script_name": "Prompt matrix", "prompt": "a <lora:ink:1>|<lora:wax:1>"},
            [Need(AssetType.LORA, "ink", "/params/prompt"), Need(AssetType.LORA, "wax", "/params/prompt")],
        ),
        (
            Task.TXT2IMG,
            {
                "script_name": "Prompts from file or textbox",
                "script_args": [
                    0,
                    0,
                    "end",
                    "--prompt a --sd_model other\nb <lora:wax:1>\nc <lora:wax:1> <lora:ink:1>",
                ],
                "prompt": "<lora:ink:1>",
            },
            [
                Need(AssetType.LORA, "ink", "/params/prompt"),
                Need(AssetType.CHECKPOINT, "other", "/params/script_args"),
                Need(AssetType.LORA, "wax", "/params/script_args"),
            ],
        ),
    ],
)
def test_files_that_a_scripts_drawings_name_are_found(task: Task, script: dict[str, object], needs: list[Need]) -> None:
    drawn_from = {"init_images": ["aGVsbG8="]} if task is Task.IMG2IMG else {}

    assert named_assets(PARAMS_BY_TASK[task].model_validate({**drawn_from, **script})) == needs


@pytest.mark.parametrize(
    ("settings", "vaes", "taken"),
    [
        ({}, (), False),
        ({"sd_vae": "None"}, (), False),
        ({"sd_vae": "None"}, ("dream.vae.safetensors",), False),
        ({}, ("other.safetensors",), False),
        ({"sd_vae": "other"}, ("other.safetensors",), True),
        ({}, ("dream.vae.safetensors",), True),
        ({"sd_vae": "Automatic"}, ("dream.vae.safetensors",), True),
    ],
)
def test_a_checkpoint_without_a_vae_needs_one_from_elsewhere(
    cloud: Cloud, settings: dict[str, str], vaes: tuple[str, ...], taken: bool
) -> None:
    cloud.asset("checkpoint", "dream.safetensors", lacks_vae=True)
    for name in vaes:
        cloud.asset("vae", name)

    if taken:
        resolve(cloud, override_settings=settings)
        return
    with pytest.raises(ProblemError) as caught:
        resolve(cloud, override_settings=settings)

    (error,) = caught.value.errors
    assert error.pointer == "/params/override_settings/sd_vae"
    assert error.message.startswith(
        "dream.safetensors cannot be used: it has no VAE; choose one with the option sd_vae"
    )


GLASS = "ガラス玉"
DECOMPOSED = unicodedata.normalize("NFD", GLASS)


@pytest.mark.parametrize("stored", [GLASS, DECOMPOSED])
@pytest.mark.parametrize("said", [GLASS, DECOMPOSED])
def test_names_are_found_however_their_accents_are_composed(cloud: Cloud, stored: str, said: str) -> None:
    wanted = CreateAsset(type="lora", name=f"{stored}.safetensors", size=1)
    cloud.asset("checkpoint", "dream.safetensors")
    cloud.asset("lora", wanted.name or "")

    assert list(told(resolve(cloud, prompt=f"<lora:{said}>"))) == [f"{GLASS}.safetensors"]


@pytest.mark.parametrize(
    "title",
    [
        "anime/dream.safetensors [6ce0161689]",
        "anime\\dream.safetensors [6ce0161689]",
        "anime\\new/dream.safetensors",
        "anime/dream",
        "dream [6ce0161689]",
    ],
)
def test_a_checkpoint_is_found_by_webuis_titles_with_folders(cloud: Cloud, title: str) -> None:
    cloud.asset("checkpoint", "dream.safetensors", sha256="6ce0161689" + "0" * 54)

    found = resolve(cloud, checkpoint=None, override_settings={"sd_model_checkpoint": title})

    assert found.checkpoint is not None
    assert found.checkpoint.name == "dream.safetensors"
