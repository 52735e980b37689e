"""What Stable Diffusion 2.x, XL and the refiner are shown beside the latents, and what they draw."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor

from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.model_files.family_names import Family
from inference_container.models.checkpoint import Checkpoint
from tests.tasks.conftest import as_text, load, noisy, rectangle
from tests.tasks.running import opened, run
from tests.tiny_families import OPEN_WIDTH, PROJECTION, write_family

LoadFamily = Callable[[Family], Checkpoint]


@dataclass
class Seen:
    """What the UNet was given at each call."""

    tokens: list[Tensor] = field(default_factory=list)
    added: list[dict[str, Tensor]] = field(default_factory=list)

    def hear(self, _module: Any, _args: Any, kwargs: dict[str, Any]) -> None:
        self.tokens.append(kwargs["encoder_hidden_states"])
        self.added.append(kwargs["added_cond_kwargs"])


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> LoadFamily:
    folder, loaded = tmp_path_factory.mktemp("families"), dict[Family, Checkpoint]()

    def get(wanted: Family) -> Checkpoint:
        if wanted not in loaded:
            loaded[wanted] = load(write_family(folder / f"{wanted.name}.safetensors", wanted))
        return loaded[wanted]

    return get


def seen(checkpoint: Checkpoint, **body: Any) -> Seen:
    """Of a run of one step: the prompt's row first, the negative prompt's second."""
    listener = Seen()
    handle = checkpoint.unet.register_forward_pre_hook(listener.hear, with_kwargs=True)
    try:
        run(checkpoint, Task.TXT2IMG, **{"steps": 1, "sampler_name": "Euler", **body})
    finally:
        handle.remove()
    return listener


def hidden(checkpoint: Checkpoint, number: int, words: str, *, layer: int) -> tuple[Tensor, Tensor]:
    """A hidden state of a text encoder, counted from the end, and the normed last one; each (77, width)."""
    text = checkpoint.text_models[number]
    end = checkpoint.tokenizer.eos_token_id
    ids = [checkpoint.tokenizer.bos_token_id, *checkpoint.tokenizer(words, add_special_tokens=False).input_ids, end]
    ids += [text.pad_token] * (77 - len(ids))
    with torch.no_grad():
        outputs = text.encoder(torch.tensor([ids]), output_hidden_states=True)
    return outputs.hidden_states[-layer][0], outputs.last_hidden_state[0]


def test_xl_attends_to_both_encoders_last_layers_but_one(family: LoadFamily) -> None:
    checkpoint = family(Family.SDXL)

    words = seen(checkpoint, prompt="red cat").tokens[0][0]

    expected = [hidden(checkpoint, number, "red cat", layer=2)[0] for number in (0, 1)]
    torch.testing.assert_close(words, torch.cat(expected, dim=-1))


def test_clip_skip_changes_clip_l_alone_and_only_when_asked(family: LoadFamily) -> None:
    checkpoint = family(Family.SDXL)
    skip = {"CLIP_stop_at_last_layers": 1}

    ignored = seen(checkpoint, prompt="red", override_settings={"CLIP_stop_at_last_layers": 3}).tokens[0][0]
    followed = seen(checkpoint, prompt="red", override_settings={**skip, "sdxl_clip_l_skip": True}).tokens[0][0]

    normal = seen(checkpoint, prompt="red").tokens[0][0]
    assert torch.equal(ignored, normal)
    assert torch.equal(followed[:, -OPEN_WIDTH:], normal[:, -OPEN_WIDTH:])
    torch.testing.assert_close(followed[:, :-OPEN_WIDTH], hidden(checkpoint, 0, "red", layer=1)[0])


def test_the_pooled_text_is_the_projection_of_the_first_chunks_end_token(family: LoadFamily) -> None:
    checkpoint = family(Family.SDXL)
    end = 1 + len(checkpoint.tokenizer("red cat", add_special_tokens=False).input_ids)

    pooled = seen(checkpoint, prompt="(red:1.5) cat BREAK on").added[0]["text_embeds"][0]

    last = hidden(checkpoint, 1, "red cat", layer=1)[1]
    torch.testing.assert_close(pooled, last[end] @ checkpoint.text_models[1].encoder.text_projection.weight.T)
    assert pooled.shape == (PROJECTION,)


def test_xl_is_told_sizes_and_crop(family: LoadFamily) -> None:
    options = {"sdxl_crop_top": 3, "sdxl_crop_left": 5}

    added = seen(family(Family.SDXL), width=128, height=64, override_settings=options).added[0]

    assert added["time_ids"].tolist() == [[64, 128, 3, 5, 64, 128]] * 2


def test_an_empty_negative_prompt_is_nothing_at_all_to_xl(family: LoadFamily) -> None:
    empty, given = (seen(family(Family.SDXL), negative_prompt=words) for words in ("", "blur"))

    assert not bool(empty.tokens[0][1].any())
    assert not bool(empty.added[0]["text_embeds"][1].any())
    assert bool(given.tokens[0][1].any())
    assert bool(seen(family(Family.SDXL), prompt="").tokens[0][0].any())


def test_the_refiner_is_told_aesthetic_scores_in_place_of_the_target_size(family: LoadFamily) -> None:
    options = {"sdxl_refiner_low_aesthetic_score": 1.5}

    added = seen(family(Family.SDXL_REFINER), height=128, override_settings=options).added[0]

    assert added["time_ids"].tolist() == [[128, 64, 0, 0, 6.0], [128, 64, 0, 0, 1.5]]


def test_stable_diffusion_2_reads_the_normed_end_of_its_encoder_whatever_the_clip_skip(family: LoadFamily) -> None:
    checkpoint = family(Family.SD2)

    words = seen(checkpoint, prompt="red", override_settings={"CLIP_stop_at_last_layers": 2})

    torch.testing.assert_close(words.tokens[0][0], hidden(checkpoint, 0, "red", layer=1)[1])
    assert words.added == [None]


@pytest.mark.parametrize("wanted", [Family.SD2_INPAINT, Family.SDXL_INPAINT])
def test_inpainting_checkpoints_of_every_family_draw(family: LoadFamily, wanted: Family) -> None:
    picture, mask = as_text(noisy(64, 64)), as_text(rectangle(64, 64, (8, 8, 40, 40)))

    output = run(family(wanted), Task.IMG2IMG, init_images=[picture], mask=mask, inpaint_full_res=False)

    assert opened(output).size == (64, 64)
    assert "Conditional mask weight: 1.0" in output.images[0].infotext


@pytest.mark.parametrize(
    ("wanted", "body", "noted"),
    [
        (Family.SD2_INPAINT, {}, True),
        (Family.SDXL_INPAINT, {}, False),
        (Family.SDXL_INPAINT, {"enable_hr": True, "denoising_strength": 0.5, "hr_scale": 1.5}, False),
        (
            Family.SDXL_INPAINT,
            {"enable_hr": True, "denoising_strength": 0.5, "hr_scale": 1.5, "hr_upscaler": "Lanczos"},
            True,
        ),
    ],
)
def test_txt2img_notes_the_mask_weight_where_webui_does(
    family: LoadFamily, wanted: Family, body: dict[str, Any], noted: bool
) -> None:
    output = run(family(wanted), Task.TXT2IMG, **body)

    assert ("Conditional mask weight" in output.images[0].infotext) is noted
    assert output.info["is_using_inpainting_conditioning"] is noted


def test_prompts_of_unequal_length_are_filled_with_the_empty_prompt_in_xl(family: LoadFamily) -> None:
    long = "red " * 80

    listener = seen(family(Family.SDXL), prompt=long, override_settings={"pad_cond_uncond": True})

    assert listener.tokens[0].shape[1] == 154
    assert bool(listener.tokens[0][1][77:].any())


def test_align_your_steps_has_a_table_of_its_own_for_xl(family: LoadFamily) -> None:
    levels = []
    for wanted in (Family.SDXL, Family.SD2):
        timesteps: list[float] = []
        handle = family(wanted).unet.register_forward_pre_hook(
            lambda _module, args, seen=timesteps: seen.append(float(args[1][0]))
        )
        run(family(wanted), Task.TXT2IMG, steps=11, sampler_name="Euler", scheduler="Align Your Steps")
        handle.remove()
        levels.append(timesteps)

    assert levels[0][1] < levels[1][1]
