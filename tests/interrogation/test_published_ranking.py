"""CLIP's ranking against numbers that the published network wrote: see published/README.md."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from inference_container.drawing.picture_words import best_matches
from inference_container.interrogation.categories import Category, write_matches
from inference_container.interrogation.phrases import clean_phrase
from inference_container.models.clip_pixels import center, to_clip_values
from inference_container.models.clip_ranker import ClipRanker
from inference_container.models.interrogator import load_interrogator
from tests.interrogation.published_models import Numbers, numbers, write_published_interrogator
from tests.tiny_interrogation import model_file

PICTURES = range(6)
WRONGLY_DECODED = "cafÃ©"
"""ftfy repairs it; we do not: docs/fidelity.md."""
ROUNDING = 1e-5


@pytest.fixture(scope="module")
def published() -> Numbers:
    return numbers("clip")


@pytest.fixture(scope="module")
def ranker(tmp_path_factory: pytest.TempPathFactory) -> ClipRanker:
    file = model_file(write_published_interrogator(tmp_path_factory.mktemp("published") / "interrogator.zip"))
    return load_interrogator(file, device=torch.device("cpu"), dtype=torch.float32).ranker


def test_phrases_have_the_published_tokens(published: Numbers, ranker: ClipRanker) -> None:
    phrases = json.loads(str(published["phrases"]))
    assert len(phrases) == 37
    for phrase, theirs in zip(phrases, published["tokens"], strict=True):
        ours = ranker.tokenizer([clean_phrase(phrase)], truncation=True).input_ids[0]
        filled = ours + [0] * (len(theirs) - len(ours))
        assert (filled == theirs.tolist()) == (phrase != WRONGLY_DECODED), phrase


@pytest.mark.parametrize("number", PICTURES)
@torch.inference_mode()
def test_a_picture_has_the_published_pixels_and_features(published: Numbers, ranker: ClipRanker, number: int) -> None:
    image = Image.fromarray(numbers("blip")[f"picture/{number}"])
    assert np.array_equal(to_clip_values(center(image, 32)).numpy(), published[f"clip_pixels/{number}"])
    assert np.abs(ranker.look(image).numpy() - published[f"picture_features/{number}"]).max() < ROUNDING


@torch.inference_mode()
def test_probabilities_and_the_line_of_matches_are_webuis(published: Numbers, ranker: ClipRanker) -> None:
    phrases = tuple(json.loads(str(published["phrases"])))
    ours = ranker.features("phrases", phrases, tell=lambda _count: None)
    lost = phrases.index(WRONGLY_DECODED)
    apart = np.abs(ours.numpy() - published["text_features"]).max(1)
    assert np.flatnonzero(apart > ROUNDING).tolist() == [lost]
    ours = ours.clone()
    ours[lost] = torch.from_numpy(published["text_features"])[lost]
    category = Category("phrases.top3", phrases, 3)
    lines = json.loads(str(published["lines"]))
    assert len(lines) == 2 * len(PICTURES)
    for number, ranks, line in lines:
        picture = torch.from_numpy(published[f"picture_features/{number}"])
        scores = ranker.rank(picture, ours)
        assert np.abs(scores.numpy() - published[f"similarity/{number}"]).max() < 1e-4
        assert write_matches("caption", best_matches(category, phrases, scores.tolist()), ranks=ranks) == line
