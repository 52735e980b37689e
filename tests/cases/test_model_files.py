"""Model files as real tools write them: each draws what the same weights draw in plain form, or is refused."""

import re
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from safetensors.torch import save

from generate_on_cloud.model_files.family_names import Family
from tests.cases.model_files import (
    VAE,
    DemoModels,
    compact_upscaler,
    controlnet_of_diffusers,
    pickled,
    renamed,
    tiny,
    with_header,
)
from tests.cases.product import Pixels, Product
from tests.e2e.requests import base64_png
from tests.tiny_families import family_config

STAR: dict[str, Any] = {
    "prompt": "a medium yellow star in the center on a blue background",
    "width": 64,
    "height": 64,
    "steps": 4,
    "seed": 7,
    "cfg_scale": 6,
    "sampler_name": "Euler",
}
MOON = STAR["prompt"].replace("star", "moon")
ROOT = Path(__file__).parents[2]
ELSEWHERE = {
    "import of Civitai's URL": ("tests/lambdas/test_import_sources.py", (
        "test_an_import_without_a_name_is_called_by_its_url_or_its_answer",
        "test_a_source_without_a_name_is_refused_with_the_way_out",
    )),
    "import of a URL with %20": ("tests/lambdas/test_import_sources.py", (
        "test_an_import_without_a_name_is_called_by_its_url_or_its_answer",
    )),
    "bom.json": ("tests/client/test_goc_answers.py", ("test_a_request_may_begin_with_a_byte_order_mark",)),
    "batch-bad, batch-good": ("tests/client/test_goc_answers.py", (
        "test_files_after_one_that_failed_are_uploaded_and_the_error_names_all_that_failed",
    )),
    "yiffy-vpred.yaml at the command line": ("tests/client/test_model_yaml.py", (
        "test_an_upload_sends_what_the_yaml_says",
        "test_a_yaml_sent_later_changes_the_checkpoint_of_its_name",
    )),
    "friction: progress of ended jobs": ("tests/lambdas/test_job_progress.py", (
        "test_every_phase_in_every_status_has_a_sentence",
    )),
    "friction: words of the API at a terminal": ("tests/client/test_goc_words.py", (
        "test_every_advice_of_the_api_is_a_command_at_the_command_line",
    )),
    "friction: a name without extension": ("tests/client/test_goc_answers.py", (
        "test_a_name_that_failed_imports_share_means_the_living_one",
    )),
    "friction: known bytes under another name": ("tests/client/test_goc_answers.py", (
        "test_bytes_that_are_there_under_another_name_are_told",
    )),
    "friction: a bare plus in a time": ("tests/lambdas/test_job_lists.py", (
        "test_a_time_whose_plus_became_a_blank_in_the_url_is_understood",
    )),
    "friction: complete without a body": ("tests/lambdas/test_api_assets.py", (
        "test_a_complete_without_a_body_means_the_parts_that_storage_has",
    )),
    "friction: T2I, IP-Adapter, LLLite": ("tests/model_files/test_one_verdict.py", (
        "test_a_file_has_one_verdict_in_one_wording",
    )),
}  # fmt: skip
"""Rows of the same list that take a terminal or a site, and the tests that prove them."""


@pytest.fixture(scope="module")
def models(weights: Path) -> DemoModels:
    return DemoModels(weights)


def up(product: Product, kind: str, name: str, data: bytes, **more: Any) -> None:
    shown = product.upload(kind, name, data, **more)
    assert shown["status"] == "active", shown["error"]


def txt2img(checkpoint: str | None = "shapes", **params: Any) -> dict[str, Any]:
    return {"task": "txt2img", "checkpoint": checkpoint, "params": {**STAR, **params}}


def drawn(product: Product, prompt: str, **params: Any) -> Pixels:
    return product.pixels(txt2img(prompt=prompt, **params))


def apart(one: Pixels, other: Pixels) -> float:
    """Mean difference in levels of 255."""
    return float(abs(one - other).mean())


def lines() -> str:
    image = Image.new("RGB", (64, 64))
    ImageDraw.Draw(image).polygon([(32, 10), (54, 54), (10, 54)], outline="white")
    return base64_png(image)


def controlled(product: Product, model: str, checkpoint: str = "shapes") -> Pixels:
    unit = {"model": model, "module": "none", "image": lines()}
    return product.pixels(txt2img(checkpoint, alwayson_scripts={"ControlNet": {"args": [unit]}}))


def moons(models: DemoModels) -> dict[str, tuple[str, bytes]]:
    """File name → the alias by which the prompt names it, and its bytes; all are `moon`."""
    prefix = {name: name.replace("lora_te_", "lora_te1_") for name in models.moon}
    scales = '{"unet.r": 8, "unet.lora_alpha": 32, "text_encoder.r": 8, "text_encoder.lora_alpha": 32}'
    plain, decomposed = models.bytes_of("moon"), unicodedata.normalize("NFD", "ガラス玉")
    return {
        "te1-sd15.safetensors": ("te1-sd15", save(renamed(models.moon, prefix.__getitem__))),
        "crescent_v2.safetensors": ("luna-style", with_header(plain, ss_output_name="luna-style")),
        "moon-header-alpha.safetensors": (
            "moon-header-alpha", save(models.moon_of_peft(4.0), metadata={"lora_adapter_metadata": scales}),
        ),
        f"{decomposed}.safetensors": ("ガラス玉", with_header(plain, n="12")),
    }  # fmt: skip


MOONS = ("te1-sd15", "crescent_v2", "moon-header-alpha", "ガラス玉")


@pytest.mark.parametrize("row", MOONS)
def test_a_lora_in_another_spelling_draws_the_same_picture(product: Product, models: DemoModels, row: str) -> None:
    files = {unicodedata.normalize("NFC", name).partition(".")[0]: name for name in moons(models)}
    name = files[row]
    alias, data = moons(models)[name]
    up(product, "lora", name, data)

    found = drawn(product, f"{MOON} <lora:{alias}:1>")

    assert apart(found, drawn(product, f"{MOON} <lora:moon:1>")) < 0.5
    assert apart(found, drawn(product, MOON)) > 1


def test_peft_dora_conv(product: Product, models: DemoModels) -> None:
    up(product, "lora", "peft-dora-conv.safetensors", save(models.untrained_dora()))

    assert apart(drawn(product, f"{MOON} <lora:peft-dora-conv:1>"), drawn(product, MOON)) < 0.5


def test_onetrainer_bundle(product: Product, models: DemoModels) -> None:
    for name, part in (("onetrainer", "clip_l"), ("kohaku", "string_to_param.*")):
        held = models.still() | {f"bundle_emb.glowx.{part}": models.sunny()}
        up(product, "lora", f"{name}-bundle.safetensors", save(held))

    found = drawn(product, "a glowx <lora:onetrainer-bundle:1>")

    assert apart(found, drawn(product, "a glowx <lora:kohaku-bundle:1>")) < 0.5
    assert apart(found, drawn(product, "a glowx")) > 1


def test_diff_control_edges_fp16(product: Product, models: DemoModels) -> None:
    whole = {f"control_model.{name}": one for name, one in models.edges_of_lllyasviel().items()}
    up(product, "controlnet", "control_edges_fp16.safetensors", save(whole))
    up(product, "controlnet", "diff_control_edges_fp16.safetensors", save(models.edges_as_difference()))

    found = controlled(product, "diff_control_edges_fp16")

    assert apart(found, controlled(product, "control_edges_fp16")) < 2
    assert apart(found, drawn(product, STAR["prompt"])) > 5


def test_diffusers_xl_canny_mid(product: Product) -> None:
    state, header = tiny(Family.SDXL)
    up(product, "checkpoint", "tinyxl.safetensors", save(state, metadata=header))
    config = family_config(Family.SDXL)["unet/config.json"]
    middle = controlnet_of_diffusers(config, transformer_layers_per_block=1)
    up(product, "controlnet", "diffusers_xl_canny_mid.safetensors", save(middle))

    found = controlled(product, "diffusers_xl_canny_mid", "tinyxl")

    assert apart(found, product.pixels(txt2img("tinyxl"))) > 0


def test_shapes_novae(product: Product, models: DemoModels) -> None:
    bare = {name: one for name, one in models.shapes.items() if not name.startswith(VAE)}
    up(product, "checkpoint", "shapes-noVAE.safetensors", save(bare, metadata=models.header("shapes")))
    up(product, "vae", "amber.vae.safetensors", models.bytes_of("amber.vae"))
    amber = {"sd_vae": "amber.vae"}

    found = product.pixels(txt2img("shapes-noVAE", override_settings=amber))

    assert apart(found, product.pixels(txt2img(override_settings=amber))) < 0.5
    for rehearsal in (False, True):
        answer = product.cloud.ask("POST", "/v1/jobs", txt2img("shapes-noVAE") | {"dry_run": rehearsal})
        (error,) = answer.problem(422, "invalid_params")["errors"]
        assert error["pointer"] == "/params/override_settings/sd_vae"
        assert "it has no VAE; choose one" in error["message"]


def test_amber_hub(product: Product, models: DemoModels) -> None:
    up(product, "vae", "amber-plain.safetensors", with_header(models.bytes_of("amber.vae"), n="9"))
    up(product, "vae", "amber-hub.safetensors", save(models.amber_of_the_hub(), metadata=models.header("amber.vae")))

    found = product.pixels(txt2img(override_settings={"sd_vae": "amber-hub"}))

    assert apart(found, product.pixels(txt2img(override_settings={"sd_vae": "amber-plain"}))) < 0.5
    assert apart(found, product.pixels(txt2img())) > 1


def test_sd_turbo(product: Product) -> None:
    state, header = tiny(Family.SD2)
    turbo = renamed(state, lambda name: name.replace("cond_stage_model.", "conditioner.embedders.0."))
    up(product, "checkpoint", "tiny-sd21.safetensors", save(state, metadata=header))
    shown = product.upload("checkpoint", "sd_turbo.safetensors", save(turbo, metadata=header))

    assert shown["architecture"] == Family.SD2
    assert (
        apart(product.pixels(txt2img("sd_turbo", cfg_scale=1)), product.pixels(txt2img("tiny-sd21", cfg_scale=1))) == 0
    )


def test_2x_compact_net(product: Product) -> None:
    state = compact_upscaler()
    up(product, "upscaler", "2x-compact-params.pth", pickled({"params": state}))
    up(product, "upscaler", "2x-compact-net.pth", pickled({"net": state}))
    noise = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)

    def enlarged(upscaler: str) -> Pixels:
        params = {"image": base64_png(Image.fromarray(noise)), "upscaling_resize": 2, "upscaler_1": upscaler}
        return product.pixels({"task": "extra_single_image", "params": params})

    found = enlarged("2x-compact-net.pth")

    assert found.shape == (48, 48, 3)
    assert apart(found, enlarged("2x-compact-params.pth")) == 0
    assert apart(found, enlarged("Lanczos")) > 1


def test_yiffy_vpred(product: Product, models: DemoModels) -> None:
    velocity = {name: one for name, one in models.tensors("shapes-velocity").items() if name != "v_pred"}
    data = save(velocity, metadata=models.header("shapes-velocity"))
    up(product, "checkpoint", "shapes-velocity.safetensors", models.bytes_of("shapes-velocity"))
    up(product, "checkpoint", "yiffy-vpred.safetensors", data, prediction_type="v_prediction")

    found = product.pixels(txt2img("yiffy-vpred"))

    assert apart(found, product.pixels(txt2img("shapes-velocity"))) < 0.5


POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'6c' * 32}\nsize 4265146304\n".encode()
PAGE = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body></body></html>" + b" " * 500
FLUX = {
    f"transformer.single_transformer_blocks.{block}.attn.to_q.lora_{part}.weight": torch.zeros(shape).bfloat16()
    for block in range(2)
    for part, shape in (("A", (4, 3072)), ("B", (3072, 4)))
}
OFT = {f"lora_unet_down_blocks_0_attentions_0_transformer_blocks_{n}_attn1_to_q.oft_R.weight": torch.zeros(6, 120)
       for n in range(2)}  # fmt: skip


@pytest.mark.parametrize(
    ("row", "data", "words"),
    [
        ("lfs-pointer", POINTER, "pointer of Git LFS and not the file; fetch the file with `git lfs pull`"),
        ("login-page", PAGE, "it is a web page .HTML.; download the file itself, logged in"),
        ("diffusers-flux", save(FLUX, metadata={"format": "pt"}), "it is made for Flux; allowed: one for Stable Diff"),
        ("onetrainer-oft", save(OFT), r"an OFT of PEFT's or OneTrainer's form .oft_R., which WebUI has no formula for"),
    ],
)
def test_what_no_job_can_use_is_refused_at_upload_for_what_it_is(
    product: Product, row: str, data: bytes, words: str
) -> None:
    shown = product.upload("lora", f"{row}.safetensors", data)

    assert shown["status"] == "failed"
    assert re.search(words, shown["error"])
    answer = product.cloud.ask("POST", "/v1/jobs", txt2img(prompt=f"a star <lora:{row}:1>"))
    assert answer.problem(404, "asset_not_found")["errors"][0]["pointer"] == "/params/prompt"


def test_empty(product: Product) -> None:
    body = {"type": "lora", "name": "empty.safetensors", "size": 0, "sha256": "0" * 64}

    problem = product.cloud.ask("POST", "/v1/assets", body).problem(422, "invalid_params")

    assert problem["errors"][0]["pointer"] == "/size"


@pytest.mark.parametrize("title", ["anime/shapes.safetensors [HASH]", "anime\\shapes.safetensors [HASH]", "HASH"])
def test_titles_of_webui(product: Product, title: str) -> None:
    assets = product.cloud.ask("GET", "/v1/assets", query={"type": "checkpoint"}).ok()["assets"]
    short = next(one["hashes"]["short"] for one in assets if one["name"] == "shapes.safetensors")
    named = txt2img(None, override_settings={"sd_model_checkpoint": title.replace("HASH", short)})

    assert apart(product.pixels(named), product.pixels(txt2img())) == 0


@pytest.mark.parametrize("row", ELSEWHERE)
def test_rows_of_terminals_and_sites_have_their_tests(row: str) -> None:
    module, names = ELSEWHERE[row]
    source = (ROOT / module).read_text(encoding="utf-8")

    assert [name for name in names if f"def {name}(" not in source] == []
