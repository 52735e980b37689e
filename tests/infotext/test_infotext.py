"""Infotext written and read back, and the info document (semantics §1.4, §7)."""

import json
import re
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from generate_on_cloud.contract.samplers import choose_sampler
from generate_on_cloud.webui.infotext.parser import DEFAULTS, parse_infotext
from generate_on_cloud.webui.infotext.record import (
    GenerationRecord,
    InfoValue,
    MaskRecord,
    img2img_extra,
    schedule_label_of,
)
from generate_on_cloud.webui.infotext.writer import build_info, quote, write_infotext, write_parameters

RECORD = GenerationRecord(
    prompts=("a cat", "a cat"),
    negative_prompts=("a dog", "a dog"),
    seeds=(7, 8),
    subseeds=(100, 101),
    steps=20,
    sampler="Euler",
    schedule_label="Automatic",
    cfg_scale=7.0,
    width=512,
    height=768,
    batch_size=2,
    model_name="v1-5-pruned",
    model_sha256="e1441589a6f3c5a53f5f54d0975a18a7feb7cdf0b0dee276dfc3331ae376a053",
    version="generate-on-cloud 0.1.0",
    job_timestamp="20260131235959",
)
MASK = MaskRecord(blur_x=4, blur_y=4, inverted=False, inpainting_fill=0, only_masked_padding=0)


def last_line(record: GenerationRecord) -> str:
    return write_infotext(record, 0).rsplit("\n", 1)[-1]


def test_an_infotext_has_prompt_negative_prompt_and_parameters_in_order() -> None:
    assert write_infotext(RECORD, 1) == (
        "a cat\n"
        "Negative prompt: a dog\n"
        "Steps: 20, Sampler: Euler, Schedule type: Automatic, CFG scale: 7.0, Seed: 8, Size: 512x768, "
        "Model hash: e1441589a6, Model: v1-5-pruned, Version: generate-on-cloud 0.1.0"
    )


def test_an_empty_negative_prompt_has_no_line_and_an_empty_prompt_leaves_no_blank_one() -> None:
    record = replace(RECORD, prompts=("",), negative_prompts=("",))

    assert write_infotext(record, 0).startswith("Steps: 20, ")


def test_every_parameter_has_webuis_place() -> None:
    record = replace(
        RECORD,
        schedule_label="Karras",
        image_cfg_scale=1.5,
        restore_faces=True,
        face_restoration_model="GFPGAN",
        vae_name="nice.vae.pt",
        vae_sha256="0123456789abcdef",
        subseed_strength=0.3,
        seed_resize_from=(192, 96),
        conditional_mask_weight=0.5,
        clip_skip=2,
        eta_noise_seed_delta=31337,
        token_merging_ratio=0.5,
        token_merging_ratio_hr=0.4,
        init_image_hash="abc",
        randn_source="NV",
        tiling=True,
        user="me",
        extra=img2img_extra(
            denoising_strength=0.75,
            mask=replace(MASK, inverted=True, only_masked_padding=32),
        )
        | {"Emphasis": "No norm", "Noise multiplier": 1.1, "Extra noise": 0.2},
    )

    assert last_line(record) == (
        "Steps: 20, Sampler: Euler, Schedule type: Karras, CFG scale: 7.0, Image CFG scale: 1.5, Seed: 7, "
        "Face restoration: GFPGAN, Size: 512x768, Model hash: e1441589a6, Model: v1-5-pruned, VAE hash: 0123456789, "
        "VAE: nice.vae.pt, Variation seed: 100, Variation seed strength: 0.3, Seed resize from: 192x96, "
        "Denoising strength: 0.75, Conditional mask weight: 0.5, Clip skip: 2, ENSD: 31337, "
        "Token merging ratio: 0.5, Token merging ratio hr: 0.4, Init image hash: abc, RNG: NV, Tiling: True, "
        "Mask mode: Inpaint not masked, Mask blur: 4, Inpaint area: Only masked, Masked area padding: 32, "
        "Masked content: fill, Emphasis: No norm, Noise multiplier: 1.1, Extra noise: 0.2, "
        "Version: generate-on-cloud 0.1.0, User: me"
    )


def test_api_defaults_of_inpainting_are_visible() -> None:
    record = replace(RECORD, steps=50, extra=img2img_extra(denoising_strength=0.75, mask=MASK))

    written = parse_infotext(write_infotext(record, 0)).parameters

    assert {
        "Masked content": "fill",
        "Inpaint area": "Only masked",
        "Masked area padding": "0",
        "Mask blur": "4",
        "Steps": "50",
        "Sampler": "Euler",
        "Denoising strength": "0.75",
    }.items() <= written.items()


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        (MaskRecord(4, 4, False, 1, None), {"Mask blur": 4}),
        (MaskRecord(0, 0, False, 1, None), {}),
        (MaskRecord(4, 8, False, 1, None), {"Mask blur": None}),
        (MaskRecord(0, 0, True, 2, None), {"Mask mode": "Inpaint not masked", "Masked content": "latent noise"}),
        (
            MaskRecord(0, 0, False, 3, 16),
            {"Inpaint area": "Only masked", "Masked area padding": 16, "Masked content": "latent nothing"},
        ),
    ],
)
def test_mask_settings_are_named_where_they_differ_from_webuis_own(
    mask: MaskRecord, expected: dict[str, InfoValue]
) -> None:
    extra = img2img_extra(denoising_strength=0.5, mask=mask)

    assert extra == {"Denoising strength": 0.5} | expected


def test_values_that_would_end_early_are_quoted() -> None:
    assert write_parameters({"A b": "x, y", "C d": "x: y", "E f": 'x\n"é"', "G h": None, "Same": "Same"}) == (
        'A b: "x, y", C d: "x: y", E f: "x\\n\\"é\\"", Same'
    )


@pytest.mark.parametrize(
    ("value", "expected"), [(7, "7"), (7.0, "7.0"), (True, "True"), ("a b", "a b"), ('a"b', 'a"b')]
)
def test_other_values_are_written_as_they_are(value: str | float | bool, expected: str) -> None:
    assert quote(value) == expected


@pytest.mark.parametrize(
    ("sampler", "scheduler", "label"),
    [
        ("Euler", None, "Automatic"),
        ("DPM++ 2M", "Automatic", "Karras"),
        ("DPM++ 2M SDE", None, "Exponential"),
        ("DPM++ 2M Karras", None, "Karras"),
        ("Euler", "sgm_uniform", "SGM Uniform"),
        ("DDIM", None, "Automatic"),
    ],
)
def test_the_schedule_is_named_as_it_was_resolved(sampler: str, scheduler: str | None, label: str) -> None:
    assert schedule_label_of(choose_sampler(sampler, scheduler)) == label


def test_the_info_document_has_webuis_fields_in_order() -> None:
    record = replace(RECORD, styles=("oil",), clip_skip=2, extra=img2img_extra(denoising_strength=0.5))
    record = replace(record, denoising_strength=0.5, schedule_label="Karras", sampler="DPM++ 2M")

    info = build_info(record)

    assert json.loads(json.dumps(info)) == info
    assert list(info.items()) == [
        ("prompt", "a cat"),
        ("all_prompts", ["a cat", "a cat"]),
        ("negative_prompt", "a dog"),
        ("all_negative_prompts", ["a dog", "a dog"]),
        ("seed", 7),
        ("all_seeds", [7, 8]),
        ("subseed", 100),
        ("all_subseeds", [100, 101]),
        ("subseed_strength", 0),
        ("width", 512),
        ("height", 768),
        ("sampler_name", "DPM++ 2M"),
        ("cfg_scale", 7.0),
        ("steps", 20),
        ("batch_size", 2),
        ("restore_faces", False),
        ("face_restoration_model", None),
        ("sd_model_name", "v1-5-pruned"),
        ("sd_model_hash", "e1441589a6"),
        ("sd_vae_name", None),
        ("sd_vae_hash", None),
        ("seed_resize_from_w", -1),
        ("seed_resize_from_h", -1),
        ("denoising_strength", 0.5),
        ("extra_generation_params", {"Denoising strength": 0.5, "Schedule type": "Karras"}),
        ("index_of_first_image", 0),
        ("infotexts", [write_infotext(record, 0), write_infotext(record, 1)]),
        ("styles", ["oil"]),
        ("job_timestamp", "20260131235959"),
        ("clip_skip", 2),
        ("is_using_inpainting_conditioning", False),
        ("version", "generate-on-cloud 0.1.0"),
    ]


@pytest.mark.parametrize(("sampler", "label"), [("Euler", "Automatic"), ("DDIM", "Karras")])
def test_info_leaves_out_a_schedule_the_sampler_did_not_build(sampler: str, label: str) -> None:
    info = build_info(replace(RECORD, sampler=sampler, schedule_label=label))

    assert info["extra_generation_params"] == {}


def test_a_grid_before_the_images_has_an_infotext_too() -> None:
    info = build_info(replace(RECORD, index_of_first_image=1))

    assert info["infotexts"] == [write_infotext(RECORD, index) for index in (0, 0, 1)]


def test_webuis_own_infotext_is_read() -> None:
    parsed = parse_infotext(
        "a cat,\n  (big:1.2), x: y\nNegative prompt: a dog,\nblurry\n"
        "Steps: 20, Sampler: DPM++ 2M, CFG scale: 7, Seed: 1, Size: 512x768, Model hash: e1441589a6, "
        'Lora hashes: "a: 0123, b: 4567", Hires upscale: 2, Wild-cards/x: "say \\"hi\\"", Version: v1.5.2'
    )

    assert parsed.prompt == "a cat,\n(big:1.2), x: y"
    assert parsed.negative_prompt == "a dog,\nblurry"
    assert parsed.parameters == {
        "Steps": "20",
        "Sampler": "DPM++ 2M",
        "CFG scale": "7",
        "Seed": "1",
        "Size-1": "512",
        "Size-2": "768",
        "Model hash": "e1441589a6",
        "Lora hashes": "a: 0123, b: 4567",
        "Hires upscale": "2",
        "Wild-cards/x": 'say "hi"',
        "Version": "v1.5.2",
    }
    assert parsed.with_defaults()["Clip skip"] == DEFAULTS["Clip skip"] == "1"


def test_a_last_line_of_fewer_than_three_parameters_is_prompt() -> None:
    assert parse_infotext("a cat\nSteps: 20, Seed: 1").prompt == "a cat\nSteps: 20, Seed: 1"
    assert parse_infotext("a cat\nSteps: 20, Seed: 1, Size: 8x8").prompt == "a cat"
    assert parse_infotext("").parameters == {}


@pytest.mark.parametrize(
    ("version", "before", "older"),
    [
        ("v1.5.2", (1, 6, 0), True),
        ("1.5.9", (1, 6, 0), True),
        ("v1.6.0", (1, 6, 0), False),
        ("v1.10.1", (1, 6, 0), False),
        ("v1.7.0", (1, 7, 0, 225), True),
        ("v1.7.0-224-gabcdef", (1, 7, 0, 225), True),
        ("v1.7.0-225-gabcdef", (1, 7, 0, 225), False),
        ("generate-on-cloud 0.1.0", (1, 6, 0), False),
    ],
)
def test_the_version_tells_the_age_of_a_picture(version: str, before: tuple[int, ...], older: bool) -> None:
    assert parse_infotext(f"Steps: 2, Seed: 1, Size: 8x8, Version: {version}").is_before(*before) is older
    assert not parse_infotext("Steps: 2, Seed: 1, Size: 8x8").is_before(*before)


TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40)
KEY = st.from_regex(r"[A-Za-z][A-Za-z0-9 /\-]{0,8}[A-Za-z]", fullmatch=True)


def as_shown(prompt: str) -> str:
    """What infotext can hold of a prompt: lines without outer spaces, the first of them not empty."""
    return "\n".join(line.strip() for line in prompt.split("\n")).lstrip("\n")


@settings(max_examples=200, deadline=None)
@given(TEXT, TEXT, st.dictionaries(KEY, TEXT, max_size=4))
def test_what_is_written_is_read_back(prompt: str, negative_prompt: str, extra: dict[str, str]) -> None:
    assume(not any(line.strip().startswith("Negative prompt:") for line in f"{prompt}\n{negative_prompt}".split("\n")))
    assume(not any(re.fullmatch(r"\d+x\d+", value) for value in extra.values()))  # read as a size
    assume(not {"Seed", "Version", "Size", "User"} & set(extra))
    record = replace(RECORD, prompts=(prompt,), negative_prompts=(negative_prompt,), extra=dict(extra))

    parsed = parse_infotext(write_infotext(record, 0))

    assert parsed.prompt == as_shown(prompt)
    assert parsed.negative_prompt == as_shown(negative_prompt)
    assert parsed.parameters["Seed"] == "7"
    assert parsed.parameters["Version"] == "generate-on-cloud 0.1.0"
    for key, value in extra.items():
        if key != value:
            assert parsed.parameters.get(key, "") == value


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60) | st.text(alphabet='ab: ,"\\\n12x', max_size=60))
def test_any_text_can_be_read(text: str) -> None:
    parsed = parse_infotext(text)

    assert len(parsed.prompt) + len(parsed.negative_prompt) <= len(text)
