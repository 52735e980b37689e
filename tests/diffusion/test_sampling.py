"""Whole runs: start, calls, mask and batches, with a UNet that is a formula (semantics §2.6, §2.10, §9)."""

from dataclasses import replace

import pytest
import torch
from diffusers import UNet2DConditionModel
from torch import Tensor

from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.contract.params import Txt2ImgParams
from generate_on_cloud.contract.samplers import SAMPLERS, SamplerChoice, Schedule, choose_sampler
from inference_container.diffusion.denoiser import DenoiserCall
from inference_container.diffusion.guidance import Guidance
from inference_container.diffusion.noise import ImageNoise
from inference_container.diffusion.noise_schedule import NoiseSchedule
from inference_container.diffusion.samplers.run import SamplerOptions
from inference_container.diffusion.sampling import ImageStart, SamplingRequest, planned_calls, sample
from inference_container.diffusion.schedules import ScheduleOptions, sigmas_for
from inference_container.prompt.conditioning import Conditioning, PromptPart, TextEmbedding, TimedEmbedding
from tests.diffusion.toy_models import FormulaUNet, ToyModel, prompt, stable_diffusion_alphas

ALPHAS = stable_diffusion_alphas()
TRAINED = NoiseSchedule(ALPHAS)
SHAPE = (4, 8, 8)
PICTURE = torch.linspace(-1, 1, 256).reshape(1, *SHAPE)
BATCH_COUPLED = {"DPM adaptive"}


def request(
    sampler: str = "Euler", *, steps: int = 20, seeds: tuple[int, ...] = (5,), start: ImageStart | None = None
) -> SamplingRequest:
    return SamplingRequest(
        choice=choose_sampler(sampler, None),
        steps=steps,
        guidance=Guidance(cond=(prompt(0.05),) * len(seeds), uncond=(prompt(-0.02),) * len(seeds), cfg_scale=2.0),
        noise=ImageNoise(seeds, SHAPE, source="CPU"),
        start=start,
    )


def record(wanted: SamplingRequest, unet: FormulaUNet | None = None) -> tuple[Tensor, list[DenoiserCall]]:
    calls: list[DenoiserCall] = []
    return sample(ToyModel(unet or FormulaUNet()), wanted, recorder=calls.append), calls


def first_noise(seed: int = 5) -> Tensor:
    return ImageNoise([seed], SHAPE, source="CPU").first()


def test_txt2img_starts_from_noise_at_sigma_max() -> None:
    _, calls = record(request())

    assert calls[0].level == pytest.approx(14.614642, abs=1e-5)
    assert torch.equal(calls[0].x, first_noise() * TRAINED.t_to_sigma(torch.tensor(999.0)))


def test_txt2img_may_start_a_little_louder() -> None:
    _, calls = record(replace(request(), sgm_noise_multiplier=True))

    assert torch.allclose(calls[0].x, first_noise() * (1 + TRAINED.sigmas[-1] ** 2) ** 0.5)


@pytest.mark.parametrize(("strength", "index", "executed"), [(0, 19, 1), (0.75, 4, 16), (1.0, 0, 20)])
def test_img2img_starts_from_the_picture_with_noise_even_at_strength_one(
    strength: float, index: int, executed: int
) -> None:
    sigmas = sigmas_for(SamplerChoice("Euler", Schedule.AUTOMATIC), 20, TRAINED)

    _, calls = record(request(start=ImageStart(PICTURE, strength)))

    assert len(calls) == executed
    assert calls[0].level == float(sigmas[index])
    assert torch.equal(calls[0].x, PICTURE + first_noise() * sigmas[index])


def test_strength_zero_nearly_gives_the_picture_back() -> None:
    latents, calls = record(request(start=ImageStart(PICTURE, 0)))

    assert calls[0].level == pytest.approx(0.0292, abs=1e-4)
    assert float((latents - PICTURE).abs().max()) < 0.03 * 5


def test_fix_steps_runs_all_steps_on_a_longer_schedule() -> None:
    _, calls = record(request(start=ImageStart(PICTURE, 0.5, fix_steps=True)))

    sigmas = sigmas_for(SamplerChoice("Euler", Schedule.AUTOMATIC), 40, TRAINED)
    assert [call.level for call in calls] == sigmas[20:-1].tolist()


def test_multiplier_and_extra_noise_change_the_start() -> None:
    sigmas = sigmas_for(SamplerChoice("Euler", Schedule.AUTOMATIC), 20, TRAINED)

    _, calls = record(request(start=ImageStart(PICTURE, 0.5, noise_multiplier=0.5, extra_noise=0.1)))

    assert torch.allclose(calls[0].x, PICTURE + 0.5 * first_noise() * (sigmas[9] + 0.1), atol=1e-6)


@pytest.mark.parametrize("sampler", ["DDIM", "DDIM CFG++"])
def test_ddim_adds_noise_for_a_later_timestep_than_it_starts_at(sampler: str) -> None:
    _, calls = record(request(sampler, start=ImageStart(PICTURE, 0.75)))

    assert len(calls) == 14
    assert calls[0].level == 701
    assert torch.allclose(calls[0].x, PICTURE * ALPHAS[751].sqrt() + first_noise() * (1 - ALPHAS[751]).sqrt())


def test_ddim_txt2img_starts_from_plain_noise_and_never_calls_the_lowest_timestep() -> None:
    _, calls = record(request("DDIM"))

    assert [call.level for call in calls] == list(range(951, 1, -50))
    assert torch.equal(calls[0].x, first_noise())


def test_extra_noise_of_timestep_samplers_is_scaled_by_the_signal() -> None:
    start = ImageStart(PICTURE, 0.75, extra_noise=0.1)

    plain = record(request("DDIM", start=replace(start, extra_noise=0.0)))[1][0].x
    noisy = record(request("DDIM", start=start))[1][0].x

    assert torch.allclose(noisy - plain, 0.1 * first_noise() * ALPHAS[751].sqrt(), atol=1e-6)


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("strength", [None, 0.0, 0.6, 1.0])
def test_planned_calls_is_what_happens(sampler: str, strength: float | None) -> None:
    start = None if strength is None else ImageStart(PICTURE, strength)
    wanted = request(sampler, steps=9, start=start)
    counts: list[int] = []

    latents = sample(ToyModel(FormulaUNet()), wanted, on_call=counts.append)

    assert latents.isfinite().all()
    assert latents.dtype == torch.float32
    assert counts == list(range(1, len(counts) + 1))
    if sampler != "DPM adaptive":
        assert len(counts) == planned_calls(ALPHAS, wanted)


def test_heun_calls_twice_for_each_interval_but_the_last() -> None:
    wanted = request("Heun", start=ImageStart(PICTURE, 0.75))

    assert planned_calls(ALPHAS, wanted) == 2 * 16 - 1


@pytest.mark.parametrize("sampler", ["DPM fast", "DPM adaptive"])
def test_samplers_of_the_range_use_the_models_own_in_txt2img_whatever_the_schedule(sampler: str) -> None:
    wanted = replace(request(sampler, steps=1), choice=SamplerChoice(sampler, Schedule.KL_OPTIMAL))

    _, calls = record(wanted)

    assert calls[0].level == pytest.approx(TRAINED.sigma_max)
    assert min(call.level for call in calls) >= TRAINED.sigma_min * 0.999


@pytest.mark.parametrize("sampler", [name for name in SAMPLERS if name not in BATCH_COUPLED])
def test_an_image_of_a_batch_is_the_image_of_its_seed_alone(sampler: str) -> None:
    batch = sample(ToyModel(FormulaUNet()), request(sampler, steps=6, seeds=(5, 6)))
    alone = sample(ToyModel(FormulaUNet()), request(sampler, steps=6, seeds=(6,)))

    assert torch.allclose(batch[1], alone[0], atol=1e-4)
    assert not torch.allclose(batch[0], batch[1], atol=0.1)


def test_ancestral_noise_is_the_stream_after_the_first_noise() -> None:
    noise = ImageNoise([5], SHAPE, source="CPU")
    sigmas = torch.tensor([float(s) for s in sigmas_for(choose_sampler("Euler a", None), 2, TRAINED)])

    _, calls = record(request("Euler a", steps=2))

    up = (sigmas[1] ** 2 * (sigmas[0] ** 2 - sigmas[1] ** 2) / sigmas[0] ** 2) ** 0.5
    down = (sigmas[1] ** 2 - up**2) ** 0.5
    x, denoised = calls[0].x, calls[0].prediction
    expected = x + (x - denoised) / sigmas[0] * (down - sigmas[0]) + noise.next() * up
    assert torch.allclose(calls[1].x, expected, atol=1e-5)


MASK = torch.zeros(1, 1, 8, 8)
MASK[..., 3:6, 2:7] = 1


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_cells_that_are_not_repainted_come_back_exactly(sampler: str) -> None:
    start = ImageStart(PICTURE, 0.7, repaint=MASK)

    latents, calls = record(request(sampler, steps=8, seeds=(5, 6), start=start))

    kept = (MASK == 0).expand_as(latents)
    assert torch.equal(latents[kept], PICTURE.expand_as(latents)[kept])
    assert not torch.allclose(latents, PICTURE.expand_as(latents), atol=0.01)
    for call in calls:
        seen = call.x if SAMPLERS[sampler].timestep else call.prediction
        assert torch.equal(seen[kept], PICTURE.expand_as(seen)[kept])


def test_a_soft_mask_blends_in_proportion() -> None:
    latents, calls = record(request(start=ImageStart(PICTURE, 0, repaint=torch.full((1, 1, 8, 8), 0.25))))

    blended = calls[0].prediction
    assert torch.allclose(latents, blended * 0.25 + PICTURE * 0.75, atol=1e-5)


def test_inpainting_models_blend_too() -> None:
    wanted = replace(
        request(start=ImageStart(PICTURE, 0.7, repaint=MASK)), image_conditioning=torch.zeros(1, 5, *SHAPE[1:])
    )

    latents, _ = record(wanted, FormulaUNet(in_channels=9))

    kept = (MASK == 0).expand_as(latents)
    assert torch.equal(latents[kept], PICTURE[kept])


def test_a_callback_that_raises_stops_the_run_there() -> None:
    unet = FormulaUNet()

    def cancel(count: int) -> None:
        if count == 3:
            raise JobFailed(JobErrorCode.CANCELED, "canceled")

    with pytest.raises(JobFailed, match="canceled"):
        sample(ToyModel(unet), request(), on_call=cancel)

    assert len(unet.calls) == 3


def test_a_schedule_that_does_not_exist_fails_as_bad_params() -> None:
    start = ImageStart(PICTURE, 0.01, fix_steps=True)

    with pytest.raises(JobFailed, match="DDIM: received 2000 schedule steps") as failure:
        sample(ToyModel(FormulaUNet()), request("DDIM", start=start))

    assert failure.value.error.code is JobErrorCode.INVALID_PARAMS


def test_tensors_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"init latent of shape \(1, 4, 4, 4\)"):
        sample(ToyModel(FormulaUNet()), request(start=ImageStart(torch.zeros(1, 4, 4, 4), 0.5)))
    with pytest.raises(ValueError, match="1 prompts for 2 seeds"):
        sample(ToyModel(FormulaUNet()), replace(request(), noise=ImageNoise([1, 2], SHAPE)))
    with pytest.raises(ValueError, match="prediction_type"):
        sample(ToyModel(FormulaUNet(), prediction_type="sample"), request())


def test_options_are_read_from_the_request_and_webuis_defaults_are_ours() -> None:
    plain = Txt2ImgParams()
    asked = Txt2ImgParams(
        eta=0.3,
        s_churn=4,
        s_noise=1.02,
        s_tmax=8,
    )

    assert SamplerOptions.from_params(plain) == SamplerOptions()
    assert SamplerOptions.from_params(asked) == SamplerOptions(eta=0.3, s_churn=4, s_noise=1.02, s_tmax=8)
    both = Txt2ImgParams(s_churn=4, s_tmax=0, override_settings={"s_churn": 6.0, "s_tmax": 0.0})
    assert SamplerOptions.from_params(both) == SamplerOptions(s_churn=6)
    assert ScheduleOptions.from_params(plain, sdxl=True) == ScheduleOptions(sdxl=True)


def test_a_real_unet_of_diffusers_takes_fractional_timesteps_and_odd_sizes() -> None:
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(8, 8),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        norm_num_groups=4,
        cross_attention_dim=8,
        attention_head_dim=2,
    ).eval()
    generator = torch.Generator().manual_seed(1)

    def conditioning(tokens: int) -> Conditioning:
        embedding = TextEmbedding(torch.randn(tokens, 8, generator=generator))
        return Conditioning((PromptPart(1.0, (TimedEmbedding(20, embedding),)),))

    wanted = replace(
        request("DPM++ 2M", steps=3),
        guidance=Guidance((conditioning(154),), (conditioning(77),)),
        noise=ImageNoise([5], (4, 7, 9), source="NV"),
    )

    latents = sample(ToyModel(unet), wanted)

    assert latents.shape == (1, 4, 7, 9)
    assert latents.isfinite().all()
    assert not latents.requires_grad
