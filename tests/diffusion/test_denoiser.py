"""Guidance against a UNet that is a formula, so that every answer can be written down (semantics §2.8–2.11)."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from inference_container.diffusion.denoiser import DenoiserCall, GuidedDenoiser
from inference_container.diffusion.guidance import Guidance
from inference_container.diffusion.mask_blend import LatentBlend
from inference_container.diffusion.noise_schedule import LcmNoiseSchedule, NoiseSchedule
from inference_container.diffusion.parameterization import (
    LcmParameterization,
    Parameterization,
    SigmaParameterization,
    TimestepParameterization,
    check_prediction_type,
)
from inference_container.prompt.conditioning import Conditioning, PromptPart, TextEmbedding, TimedEmbedding
from tests.diffusion.toy_models import FormulaUNet, ToyModel, prompt, stable_diffusion_alphas, text

ALPHAS = stable_diffusion_alphas()
TRAINED = NoiseSchedule(ALPHAS)
SIGMA = torch.tensor(2.0)
X = torch.linspace(-1, 1, 64).reshape(1, 4, 4, 4)
ONE = Guidance(cond=(prompt(0.5),), uncond=(prompt(-0.2),), cfg_scale=3.0)


def denoiser(
    model: ToyModel,
    guidance: Guidance = ONE,
    *,
    parameterization: Parameterization | None = None,
    blend: LatentBlend | None = None,
    image_conditioning: Tensor | None = None,
    total_steps: int = 10,
    cfg_divisor: float = 1.0,
) -> GuidedDenoiser:
    return GuidedDenoiser(
        model,
        parameterization or SigmaParameterization(TRAINED, model.prediction_type),
        guidance,
        total_steps=total_steps,
        cfg_divisor=cfg_divisor,
        blend=blend,
        image_conditioning=image_conditioning,
    )


def clean(value: float, x: Tensor = X, sigma: Tensor = SIGMA) -> Tensor:
    """x0 the formula UNet means for a text of this value."""
    return x - sigma * (value + 0.1 * x / (sigma**2 + 1) ** 0.5)


def test_guidance_moves_from_the_negative_prompt_towards_the_prompt() -> None:
    expected = clean(-0.2) + 3.0 * (clean(0.5) - clean(-0.2))

    assert torch.allclose(denoiser(ToyModel(FormulaUNet()))(X, SIGMA), expected, atol=1e-5)


@pytest.mark.parametrize("scale", [0.0, 0.5, 1.0])
def test_both_branches_run_and_the_formula_holds_at_low_scales_too(scale: float) -> None:
    unet = FormulaUNet()

    answer = denoiser(ToyModel(unet), replace(ONE, cfg_scale=scale))(X, SIGMA)

    assert torch.allclose(answer, clean(-0.2) + scale * (clean(0.5) - clean(-0.2)), atol=1e-5)
    assert [len(call.sample) for call in unet.calls] == [2]


def test_the_unet_sees_a_scaled_latent_and_a_fractional_timestep() -> None:
    unet = FormulaUNet()

    denoiser(ToyModel(unet))(X, SIGMA)

    assert torch.allclose(unet.calls[0].sample[0], X[0] / 5**0.5)
    t = float(unet.calls[0].timestep[0])
    assert t == pytest.approx(float(TRAINED.sigma_to_t(SIGMA)))
    assert t != int(t)


def test_quantisation_rounds_the_timestep() -> None:
    unet = FormulaUNet()

    denoiser(ToyModel(unet), parameterization=SigmaParameterization(TRAINED, "epsilon", quantize=True))(X, SIGMA)

    t = float(unet.calls[0].timestep[0])
    assert t == round(float(TRAINED.sigma_to_t(SIGMA)))


def test_and_parts_add_up_with_their_weights() -> None:
    guidance = replace(ONE, cond=(prompt(0.5, 0.1, weights=(1.2, -0.5)),))

    answer = denoiser(ToyModel(FormulaUNet()), guidance)(X, SIGMA)

    uncond = clean(-0.2)
    expected = uncond + 3.0 * (1.2 * (clean(0.5) - uncond) - 0.5 * (clean(0.1) - uncond))
    assert torch.allclose(answer, expected, atol=1e-5)


def test_prompts_of_other_lengths_run_in_their_own_call_without_padding() -> None:
    unet = FormulaUNet()
    guidance = replace(ONE, cond=(prompt(0.5, tokens=154),))

    answer = denoiser(ToyModel(unet), guidance)(X, SIGMA)

    assert [tuple(call.tokens.shape[:2]) for call in unet.calls] == [(1, 154), (1, 77)]
    assert torch.allclose(answer, clean(-0.2) + 3.0 * (clean(0.5) - clean(-0.2)), atol=1e-5)


@pytest.mark.parametrize(("cond", "uncond"), [(231, 77), (77, 154)])
def test_the_option_pads_the_shorter_prompt_with_empty_chunks(cond: int, uncond: int) -> None:
    unet = FormulaUNet()
    guidance = Guidance(
        cond=(prompt(0.5, tokens=cond),), uncond=(prompt(-0.2, tokens=uncond),), empty_chunk=torch.full((77, 2), 9.0)
    )

    denoiser(ToyModel(unet), guidance)(X, SIGMA)

    longest = max(cond, uncond)
    assert [tuple(call.tokens.shape[:2]) for call in unet.calls] == [(2, longest)]
    shorter = unet.calls[0].tokens[0 if cond < uncond else 1]
    assert (shorter[min(cond, uncond) :] == 9).all()
    assert (shorter[: min(cond, uncond)] != 9).all()


def test_and_parts_of_unequal_length_repeat_their_last_token() -> None:
    unet = FormulaUNet()
    parts = tuple(
        PromptPart(1.0, (TimedEmbedding(9, TextEmbedding(torch.arange(tokens * 2.0).reshape(tokens, 2))),))
        for tokens in (77, 154)
    )

    denoiser(ToyModel(unet), replace(ONE, cond=(Conditioning(parts),)))(X, SIGMA)

    lengthened = unet.calls[0].tokens[0]
    assert (lengthened[77:] == lengthened[76]).all()


def test_the_timeline_follows_the_count_of_calls() -> None:
    unet = FormulaUNet()
    timeline = (TimedEmbedding(1, text(0.5)), TimedEmbedding(10, text(0.9)))
    guided = denoiser(ToyModel(unet), replace(ONE, cond=(Conditioning((PromptPart(1.0, timeline),)),)))

    for _ in range(4):
        guided(X, SIGMA)

    assert [round(float(call.tokens[0, 0, 0]), 3) for call in unet.calls] == [0.5, 0.5, 0.9, 0.9]


def test_each_image_of_a_batch_has_its_own_prompts() -> None:
    x = torch.cat([X, 2 * X])
    guidance = replace(ONE, cond=(prompt(0.5), prompt(0.1, 0.3)), uncond=(prompt(-0.2), prompt(0.0)))

    answer = denoiser(ToyModel(FormulaUNet()), guidance)(x, SIGMA)

    alone = [
        denoiser(ToyModel(FormulaUNet()), replace(ONE, cond=(cond,), uncond=(uncond,)))(x[i : i + 1], SIGMA)
        for i, (cond, uncond) in enumerate(zip(guidance.cond, guidance.uncond, strict=True))
    ]
    assert torch.allclose(answer, torch.cat(alone), atol=1e-6)


def test_v_prediction_is_read_as_velocity() -> None:
    answer = denoiser(ToyModel(FormulaUNet(), prediction_type="v_prediction"), replace(ONE, cfg_scale=1.0))(X, SIGMA)

    velocity = 0.5 + 0.1 * X / 5**0.5
    assert torch.allclose(answer, X / 5 - velocity * 2 / 5**0.5, atol=1e-6)


def test_timestep_samplers_get_epsilon_and_an_unscaled_latent() -> None:
    unet = FormulaUNet()
    guided = denoiser(ToyModel(unet), parameterization=TimestepParameterization(TRAINED, "epsilon"))

    answer, uncond = guided.with_uncond(X, torch.tensor(701.0))

    assert torch.equal(unet.calls[0].sample[0], X[0])
    assert float(unet.calls[0].timestep[0]) == 701
    assert torch.allclose(uncond, -0.2 + 0.1 * X)
    assert torch.allclose(answer, uncond + 3.0 * 0.7, atol=1e-6)


def test_timestep_samplers_turn_velocity_into_epsilon() -> None:
    parameterization = TimestepParameterization(TRAINED, "v_prediction")
    guided = denoiser(ToyModel(FormulaUNet()), replace(ONE, cfg_scale=1.0), parameterization=parameterization)

    answer = guided(X, torch.tensor(701.0))

    alpha = ALPHAS[701]
    assert torch.allclose(answer, alpha.sqrt() * (0.5 + 0.1 * X) + (1 - alpha).sqrt() * X, atol=1e-6)


def test_lcm_mixes_the_latent_by_its_boundary_condition_and_quantises() -> None:
    unet = FormulaUNet()
    schedule = LcmNoiseSchedule(ALPHAS)
    guided = denoiser(
        ToyModel(unet), replace(ONE, cfg_scale=1.0), parameterization=LcmParameterization(schedule, "epsilon")
    )

    answer = guided(X, SIGMA)

    t = float(unet.calls[0].timestep[0])
    assert (t + 1) % 20 == 0
    scaled = 10 * t
    expected = clean(0.5) * scaled / (scaled**2 + 0.25) ** 0.5 + X * 0.25 / (scaled**2 + 0.25)
    assert torch.allclose(answer, expected, atol=1e-5)


def test_cfgpp_divides_the_scale() -> None:
    answer = denoiser(ToyModel(FormulaUNet()), cfg_divisor=12.5)(X, SIGMA)

    assert torch.allclose(answer, clean(-0.2) + 3.0 / 12.5 * (clean(0.5) - clean(-0.2)), atol=1e-5)


MASK = torch.zeros(1, 1, 4, 4)
MASK[..., 2:] = 1
KEPT = torch.full((1, 4, 4, 4), 7.0)


def test_sigma_samplers_blend_the_clean_latent_into_the_prediction() -> None:
    unet = FormulaUNet()

    answer = denoiser(ToyModel(unet), blend=LatentBlend(KEPT, MASK))(X, SIGMA)

    plain = denoiser(ToyModel(FormulaUNet()))(X, SIGMA)
    assert torch.equal(answer, plain * MASK + KEPT * (1 - MASK))
    assert torch.allclose(unet.calls[0].sample[0], X[0] / 5**0.5)


def test_timestep_samplers_blend_what_the_model_sees_and_not_what_it_says() -> None:
    unet = FormulaUNet()
    parameterization = TimestepParameterization(TRAINED, "epsilon")

    answer = denoiser(ToyModel(unet), parameterization=parameterization, blend=LatentBlend(KEPT, MASK))(
        X, torch.tensor(701.0)
    )

    seen = X * MASK + KEPT * (1 - MASK)
    assert torch.equal(unet.calls[0].sample[0], seen[0])
    assert torch.allclose(answer, 0.1 * seen - 0.2 + 3.0 * 0.7, atol=1e-5)


@pytest.mark.parametrize("batch", [1, 2])
def test_inpainting_models_get_the_same_extra_channels_in_every_branch(batch: int) -> None:
    unet = FormulaUNet(in_channels=9)
    guidance = Guidance(cond=(prompt(0.5),) * 2, uncond=(prompt(-0.2),) * 2)
    extra = torch.rand(batch, 5, 4, 4)

    denoiser(ToyModel(unet), guidance, image_conditioning=extra)(torch.cat([X, X]), SIGMA)

    sample = unet.calls[0].sample
    assert sample.shape == (4, 9, 4, 4)
    for row, image in enumerate([0, 1, 0, 1]):
        assert torch.equal(sample[row, 4:], extra[image if batch == 2 else 0])
        assert torch.allclose(sample[row, :4], X[0] / 5**0.5)


def test_instruct_pix2pix_pulls_text_and_picture_apart() -> None:
    guidance = replace(ONE, image_cfg_scale=1.5)
    unet = FormulaUNet(in_channels=8)

    answer = denoiser(ToyModel(unet), guidance, image_conditioning=torch.full((1, 4, 4, 4), 0.3))(X, SIGMA)

    text_answer, picture, nothing = clean(0.5 + 0.3), clean(-0.2 + 0.3), clean(-0.2)
    expected = nothing + 3.0 * (text_answer - picture) + 1.5 * (picture - nothing)
    assert torch.allclose(answer, expected, atol=1e-5)
    assert len(unet.calls[0].sample) == 3


@pytest.mark.parametrize("image_cfg_scale", [None, 1.0])
def test_instruct_pix2pix_without_an_image_scale_is_plain_guidance(image_cfg_scale: float | None) -> None:
    guidance = replace(ONE, image_cfg_scale=image_cfg_scale)
    unet = FormulaUNet(in_channels=8)

    answer = denoiser(ToyModel(unet), guidance, image_conditioning=torch.full((1, 4, 4, 4), 0.3))(X, SIGMA)

    assert torch.allclose(answer, clean(0.1) + 3.0 * (clean(0.8) - clean(0.1)), atol=1e-5)


def test_and_is_refused_with_instruct_pix2pix() -> None:
    guidance = replace(ONE, cond=(prompt(0.5, 0.1),), image_cfg_scale=1.5)

    with pytest.raises(JobFailed, match="AND") as failure:
        denoiser(ToyModel(FormulaUNet(in_channels=8)), guidance, image_conditioning=torch.zeros(1, 4, 4, 4))

    assert failure.value.error.code is JobErrorCode.INVALID_PARAMS


def branches(guidance: Guidance, calls: int, sigma: Tensor = SIGMA) -> list[int]:
    unet = FormulaUNet()
    guided = denoiser(ToyModel(unet), guidance)
    for _ in range(calls):
        guided(X, sigma)
    return [len(call.sample) for call in unet.calls]


def test_below_s_min_uncond_every_second_call_leaves_the_negative_prompt_out() -> None:
    assert branches(replace(ONE, s_min_uncond=2.5), 4) == [2, 1, 2, 1]
    assert branches(replace(ONE, s_min_uncond=2.5, s_min_uncond_all=True), 4) == [1, 1, 1, 1]
    assert branches(replace(ONE, s_min_uncond=1.5), 4) == [2, 2, 2, 2]


def test_early_calls_may_leave_the_negative_prompt_out() -> None:
    assert branches(replace(ONE, skip_early_cond=0.2), 5) == [1, 1, 1, 2, 2]


def test_the_recorder_hears_why_the_negative_prompt_was_left_out() -> None:
    calls: list[DenoiserCall] = []
    guided = GuidedDenoiser(
        ToyModel(FormulaUNet()),
        SigmaParameterization(TRAINED, "epsilon"),
        replace(ONE, skip_early_cond=0.05, s_min_uncond=2.5),
        total_steps=10,
        recorder=calls.append,
    )

    for _ in range(4):
        guided(X, SIGMA)

    assert [call.left_out for call in calls] == ["early", "late", None, "late"]


def test_prompts_are_padded_when_the_option_is_on_and_their_lengths_differ() -> None:
    long = Conditioning((PromptPart(1.0, (TimedEmbedding(0, TextEmbedding(torch.zeros(154, 4))),)),))
    padding = replace(ONE, cond=(long,), empty_chunk=torch.zeros(77, 4))

    assert padding.padding == "Pad conds"
    assert replace(padding, pad_v0=True).padding == "Pad conds v0"
    assert replace(padding, empty_chunk=None, pad_v0=True).padding == "Pad conds v0"
    assert replace(padding, empty_chunk=None).padding is None
    assert replace(padding, uncond=(long,), pad_v0=True).padding is None


def test_a_call_without_the_negative_prompt_is_the_prompt_alone() -> None:
    guidance = replace(ONE, cond=(prompt(0.5, 0.1, weights=(1.0, 0.4)),), s_min_uncond=5, s_min_uncond_all=True)

    answer, uncond = denoiser(ToyModel(FormulaUNet()), guidance).with_uncond(X, SIGMA)

    assert torch.allclose(uncond, clean(0.5), atol=1e-5)
    assert torch.allclose(answer, clean(0.5) + 0.4 * (clean(0.1) - clean(0.5)), atol=1e-5)


def test_nan_ends_the_job_with_its_own_code() -> None:
    with pytest.raises(JobFailed, match="NaN at call 1") as failure:
        denoiser(ToyModel(FormulaUNet(nan=True)))(X, SIGMA)

    assert failure.value.error.code is JobErrorCode.NAN_LATENTS


def test_every_call_is_reported_and_recorded() -> None:
    counts: list[int] = []
    recorded: list[DenoiserCall] = []
    guided = GuidedDenoiser(
        ToyModel(FormulaUNet()),
        SigmaParameterization(TRAINED, "epsilon"),
        ONE,
        total_steps=2,
        on_call=counts.append,
        recorder=recorded.append,
    )

    answers = [guided(X, SIGMA), guided(2 * X, SIGMA / 2)]

    assert counts == [1, 2]
    assert [(call.index, call.level) for call in recorded] == [(0, 2.0), (1, 1.0)]
    assert torch.equal(recorded[1].x, 2 * X)
    assert torch.equal(recorded[1].prediction, answers[1])


def test_pooled_embeddings_go_to_the_unet_with_the_picture_sizes() -> None:
    unet = FormulaUNet()
    embeddings = [TextEmbedding(torch.zeros(77, 2), pooled=torch.full((3,), value)) for value in (1.0, 2.0)]
    cond, uncond = (Conditioning((PromptPart(1.0, (TimedEmbedding(9, one),)),)) for one in embeddings)
    guidance = Guidance((cond,), (uncond,), time_ids=torch.arange(6.0))

    denoiser(ToyModel(unet), guidance)(X, SIGMA)

    added = unet.calls[0].added
    assert added is not None
    assert added["text_embeds"][:, 0].tolist() == [1.0, 2.0]
    assert added["time_ids"].tolist() == [[0, 1, 2, 3, 4, 5]] * 2
    with pytest.raises(ValueError, match="time_ids"):
        denoiser(ToyModel(unet), replace(guidance, time_ids=None))(X, SIGMA)


def test_half_precision_models_run_in_their_type_and_answer_in_float32() -> None:
    unet = FormulaUNet()
    model = ToyModel(unet, dtype=torch.bfloat16)

    answer = denoiser(model)(X, SIGMA)

    assert unet.calls[0].sample.dtype == torch.bfloat16
    assert unet.calls[0].tokens.dtype == torch.bfloat16
    assert unet.calls[0].timestep.dtype == torch.float32
    assert answer.dtype == torch.float32


def test_what_does_not_fit_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="9 channels"):
        denoiser(ToyModel(FormulaUNet()), image_conditioning=torch.zeros(1, 5, 4, 4))
    with pytest.raises(ValueError, match="4 channels"):
        denoiser(ToyModel(FormulaUNet(in_channels=9)))
    with pytest.raises(ValueError, match="2 prompts and 1 negative"):
        denoiser(ToyModel(FormulaUNet()), replace(ONE, cond=ONE.cond * 2))
    with pytest.raises(ValueError, match="exactly one"):
        denoiser(ToyModel(FormulaUNet()), replace(ONE, uncond=(prompt(0.1, 0.2),)))
    with pytest.raises(ValueError, match="'sample'; allowed: epsilon, v_prediction"):
        check_prediction_type("sample")
