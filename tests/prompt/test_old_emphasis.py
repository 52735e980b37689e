"""Brackets as WebUI read them at first: tokens that hold one are taken out and multiply what follows, in one chunk."""

import pytest
import torch

from generate_on_cloud.webui.prompt.emphasis import EmphasisMode
from generate_on_cloud.webui.prompt.schedule import PromptClock
from inference_container.prompt.chunks import SpecialTokens
from inference_container.prompt.encoder import EncoderOptions, PromptEncoder, TextualInversion
from inference_container.prompt.inversions import InversionMatcher, InversionName
from inference_container.prompt.old_emphasis import bracket_factors, old_chunk
from inference_container.prompt.text_models import TextKind
from tests.prompt.tiny_clip import WIDTH, TinyClip

VOCABULARY = {"a": 0, "(</w>": 1, "((": 2, ")</w>": 3, "),</w>": 4, "[": 5, "]</w>": 6, "()": 7, "b": 8, "c": 9}
SPECIAL = SpecialTokens(start=90, end=91, comma=None)
FACTORS = bracket_factors(VOCABULARY)
NO_INVERSIONS = InversionMatcher([])


def test_every_bracket_of_a_token_counts_and_those_that_cancel_out_are_text() -> None:
    expected = {1: 1.1, 2: 1.21, 3: 1 / 1.1, 4: 1 / 1.1, 5: 1 / 1.1, 6: 1.1}

    assert pytest.approx(expected) == FACTORS


@pytest.mark.parametrize(
    ("tokens", "kept", "weights"),
    [
        ([0, 1, 8, 4, 9], [0, 8, 9], [1, 1.1, 1]),
        ([2, 0, 3, 8], [0, 8], [1.21, 1.1]),
        ([5, 0, 6, 7, 8], [0, 7, 8], [1 / 1.1, 1, 1]),
        ([1] * 3 + [0], [0], [1.1**3]),
        ([8] * 100, [8] * 75, [1] * 75),
        ([], [], []),
    ],
)
def test_a_text_is_one_chunk_of_what_is_no_bracket(tokens: list[int], kept: list[int], weights: list[float]) -> None:
    chunk = old_chunk(tokens, factors=FACTORS, special=SPECIAL, inversions=NO_INVERSIONS)

    assert chunk.tokens == (90, *kept, *[91] * (75 - len(kept)), 91)
    assert chunk.weights == pytest.approx((1, *weights, *[1] * (76 - len(weights))))


def test_embeddings_stand_for_their_names_and_those_behind_the_end_are_cut() -> None:
    named = InversionMatcher([InversionName("x", (8, 9), 3)])

    chunk = old_chunk([1, 8, 9, *[0] * 72, 8, 9], factors=FACTORS, special=SPECIAL, inversions=named)

    assert [(place.offset, place.name) for place in chunk.insertions] == [(1, "x")]
    assert chunk.tokens[1:5] == (0, 0, 0, 0)
    assert chunk.weights[1:5] == pytest.approx((1.1,) * 4)
    assert len(chunk.tokens) == len(chunk.weights) == 77


def test_the_encoder_reads_brackets_by_tokens_and_notes_nothing(clip: TinyClip) -> None:
    options = EncoderOptions(old_emphasis=True, emphasis=EmphasisMode.NO_NORM)
    inversion = TextualInversion("q", {TextKind.CLIP_L: torch.ones(1, WIDTH)}, "1")
    encoder = clip.encoder(options, [inversion])

    (conditioning,) = encoder.encode(["( x ) y q"], PromptClock(20))

    tokens = conditioning.parts[0].at(0).tokens
    (plain,) = clip.encoder(inversions=[inversion]).encode(["x y q"], PromptClock(20))
    expected = plain.parts[0].at(0).tokens.clone()
    expected[1] *= 1.1
    torch.testing.assert_close(tokens, expected, rtol=1e-4, atol=1e-5)
    assert encoder.infotext_extra() == {}


def test_without_emphasis_brackets_are_text(clip: TinyClip) -> None:
    options = EncoderOptions(old_emphasis=True, emphasis=EmphasisMode.NONE)

    torch.testing.assert_close(clip.tokens("( x )", options), clip.plain(["(", "x", ")"]))


def test_other_text_encoders_are_refused(clip: TinyClip) -> None:
    with pytest.raises(ValueError, match="allowed: clip_l alone"):
        PromptEncoder(
            text_models=[clip.model, clip.model],
            tokenizer=clip.tokenizer,
            options=EncoderOptions(old_emphasis=True),
        )
