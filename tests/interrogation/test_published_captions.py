"""BLIP against numbers that the published network wrote: see published/README.md."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from inference_container.models.captioner import Captioner
from inference_container.models.clip_pixels import square, to_clip_values
from inference_container.models.interrogator import load_interrogator
from tests.interrogation.published_models import Numbers, numbers, write_published_interrogator
from tests.tiny_interrogation import model_file

PICTURES = range(6)
ROUNDING = 2e-5
"""Of values near 1: float32, summed in another order."""


@pytest.fixture(scope="module")
def published() -> Numbers:
    return numbers("blip")


@pytest.fixture(scope="module")
def captioner(tmp_path_factory: pytest.TempPathFactory) -> Captioner:
    file = model_file(write_published_interrogator(tmp_path_factory.mktemp("published") / "interrogator.zip"))
    return load_interrogator(file, device=torch.device("cpu"), dtype=torch.float32).captioner


@pytest.mark.parametrize("number", PICTURES)
def test_the_picture_that_blip_sees_is_the_published_one_to_the_bit(published: Numbers, number: int) -> None:
    image = Image.fromarray(published[f"picture/{number}"])
    assert np.array_equal(to_clip_values(square(image, 48)).numpy(), published[f"pixels/{number}"])


@pytest.mark.parametrize("number", PICTURES)
@torch.inference_mode()
def test_each_layer_of_the_picture_encoder_gives_the_published_numbers(
    published: Numbers, captioner: Captioner, number: int
) -> None:
    pixels = torch.from_numpy(published[f"pixels/{number}"])
    layers: list[torch.Tensor] = []
    hooks = [
        layer.register_forward_hook(lambda _layer, _inputs, output: layers.append(_tensor(output)))
        for layer in captioner.model.vision_model.encoder.layers
    ]
    features = captioner.model.vision_model(pixel_values=pixels).last_hidden_state[0]
    for hook in hooks:
        hook.remove()
    seen = torch.stack([layer[0] for layer in layers]).numpy()
    assert _error(seen, published[f"layers/{number}"]) < ROUNDING
    assert _error(features.numpy(), published[f"features/{number}"]) < ROUNDING


@pytest.mark.parametrize("number", PICTURES)
@torch.inference_mode()
def test_the_words_after_the_prefix_have_the_published_scores(
    published: Numbers, captioner: Captioner, number: int
) -> None:
    features = torch.from_numpy(published[f"features/{number}"])[None]
    layers: list[torch.Tensor] = []
    decoder = captioner.model.text_decoder
    hooks = [
        layer.register_forward_hook(lambda _layer, _inputs, output: layers.append(_tensor(output)))
        for layer in decoder.bert.encoder.layer
    ]
    logits = decoder(
        input_ids=torch.from_numpy(published["prompt_ids"].astype(np.int64)), encoder_hidden_states=features
    ).logits[0]
    for hook in hooks:
        hook.remove()
    seen = torch.stack([layer[0] for layer in layers]).numpy()
    assert _error(seen, published[f"hidden/{number}"]) < ROUNDING
    assert _error(logits.numpy(), published[f"logits/{number}"]) < ROUNDING


@torch.inference_mode()
def test_captions_of_one_beam_have_the_published_tokens_for_every_range_of_lengths(
    published: Numbers, captioner: Captioner
) -> None:
    # Ranges that end early go first; the captions that run on to 48 tokens say nothing new for each picture.
    runs = [run for run in json.loads(str(published["runs"])) if run[1] == 1 and (run[3] < 48 or run[0] == 1)]
    assert len(runs) == 27
    for number, _, shortest, longest, tokens, caption in runs:
        ours: list[int] = []
        said = captioner.caption(
            Image.fromarray(published[f"picture/{number}"]),
            num_beams=1,
            min_length=shortest,
            max_length=longest,
            tell=ours.append,
        )
        assert said == caption, (number, shortest, longest)
        assert ours[-1] == len(tokens), (number, shortest, longest)


def _tensor(output: torch.Tensor | tuple[torch.Tensor, ...]) -> torch.Tensor:
    return output if isinstance(output, torch.Tensor) else output[0]


def _error(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float(np.abs(ours - theirs).max() / np.sqrt(np.mean(theirs.astype(np.float64) ** 2)))
