"""From prompts to conditioning with a tiny random CLIP: semantics §4 and §9 items 9 to 11."""

import copy
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from generate_on_cloud.webui.prompt.emphasis import EmphasisMode
from generate_on_cloud.webui.prompt.errors import PromptSyntaxError
from generate_on_cloud.webui.prompt.schedule import PromptClock
from inference_container.prompt.clip import final_layer_norm
from inference_container.prompt.encoder import MAX_CHUNKS, EncoderOptions, TextualInversion
from inference_container.prompt.text_models import TextKind
from tests.prompt.tiny_clip import END, LAYERS, START, VOCABULARY, WIDTH, TinyClip

CLOCK = PromptClock(20)
NO_NORM = EncoderOptions(emphasis=EmphasisMode.NO_NORM)


def inversion(name: str, vectors: Tensor, shown: str | None = None) -> TextualInversion:
    return TextualInversion(name, {TextKind.CLIP_L: vectors}, shown)


def test_a_plain_prompt_is_the_models_own_answer(clip: TinyClip) -> None:
    torch.testing.assert_close(clip.tokens("x y z"), clip.plain(["x", "y", "z"]))


def test_an_empty_prompt_is_one_chunk(clip: TinyClip) -> None:
    torch.testing.assert_close(clip.tokens(""), clip.plain([]))


@pytest.mark.parametrize(
    ("prompt", "tokens"), [("x " * 75, 77), ("x " * 76, 154), ("x BREAK y", 154), ("x BREAK", 77), ("x " * 151, 231)]
)
def test_chunks_stand_one_after_the_other(clip: TinyClip, prompt: str, tokens: int) -> None:
    assert clip.tokens(prompt).shape == (tokens, WIDTH)


def test_chunks_are_encoded_independently(clip: TinyClip) -> None:
    both = clip.tokens("x BREAK y")

    torch.testing.assert_close(both, torch.cat([clip.plain(["x"]), clip.plain(["y"])]))


def test_weight_one_changes_no_bit(clip: TinyClip) -> None:
    assert torch.equal(clip.tokens("x (y:1.0) z"), clip.tokens("x y z"))


def test_original_emphasis_scales_the_tokens_and_restores_the_mean(clip: TinyClip) -> None:
    plain = clip.plain(["x", "y"])
    weighted = plain.clone()
    weighted[2] *= 1.5

    tokens = clip.tokens("x (y:1.5)")

    torch.testing.assert_close(tokens.mean(), plain.mean(), rtol=1e-4, atol=0)
    torch.testing.assert_close(tokens, weighted * (plain.mean() / weighted.mean()))


def test_the_mean_is_restored_for_each_chunk_by_itself(clip: TinyClip) -> None:
    tokens = clip.tokens("x (y:1.5) BREAK z")

    torch.testing.assert_close(tokens[:77], clip.tokens("x (y:1.5)"))
    torch.testing.assert_close(tokens[77:], clip.plain(["z"]))


def test_the_mean_is_restored_over_all_variants_each_as_often_as_the_schedule_names_it(clip: TinyClip) -> None:
    plain = torch.stack([clip.plain(["x"]), clip.plain(["y"]), clip.plain(["y"])])
    weighted = plain.clone()
    weighted[1:, 1] *= 3

    (part,) = clip.encode("[x:[(y:3)|(y:3)]:1]", steps=3).parts

    tokens = torch.stack([timed.embedding.tokens for timed in part.timeline])
    torch.testing.assert_close(tokens, weighted * (plain.mean() / weighted.mean()))


def test_no_norm_leaves_the_mean(clip: TinyClip) -> None:
    expected = clip.plain(["x", "y"])
    expected[2] *= 1.5

    torch.testing.assert_close(clip.tokens("x (y:1.5)", NO_NORM), expected)


def test_ignore_reads_brackets_and_drops_the_weights(clip: TinyClip) -> None:
    options = EncoderOptions(emphasis=EmphasisMode.IGNORE)

    torch.testing.assert_close(clip.tokens("x (y:1.5)", options), clip.plain(["x", "y"]))
    assert clip.tokens("x BREAK y", options).shape[0] == 154


def test_none_takes_brackets_and_break_as_text(clip: TinyClip) -> None:
    options = EncoderOptions(emphasis=EmphasisMode.NONE)

    torch.testing.assert_close(clip.tokens("( x )", options), clip.plain(["(", "x", ")"]))
    assert clip.tokens("x BREAK y", options).shape[0] == 77


def test_an_escaped_bracket_reaches_the_tokenizer_as_a_bracket(clip: TinyClip) -> None:
    torch.testing.assert_close(clip.tokens(r"\( x"), clip.plain(["(", "x"]))


def test_prompts_of_unlike_length_are_each_encoded_as_if_alone(clip: TinyClip) -> None:
    encoder = clip.encoder()

    (positive,) = encoder.encode(["x " * 76], CLOCK)
    (negative,) = encoder.encode_negative(["y"], CLOCK)

    assert positive.parts[0].at(0).tokens.shape[0] == 154
    torch.testing.assert_close(negative.parts[0].at(0).tokens, clip.plain(["y"]))


def test_clip_skip_takes_an_earlier_layer_through_the_last_norm(clip: TinyClip) -> None:
    ids = torch.tensor([[START, VOCABULARY["x</w>"], *[END] * 75]])
    with torch.no_grad():
        hidden = clip.text_encoder(ids, output_hidden_states=True).hidden_states
        expected = clip.text_encoder.final_layer_norm(hidden[-2])[0]

    torch.testing.assert_close(clip.tokens("x", EncoderOptions(clip_skip=2)), expected)
    assert len(hidden) == LAYERS + 1
    assert not torch.allclose(clip.tokens("x"), expected)


@pytest.mark.parametrize("clip_skip", [0, LAYERS + 1])
def test_a_clip_skip_beyond_the_layers_is_refused(clip: TinyClip, clip_skip: int) -> None:
    with pytest.raises(ValueError, match=f"received clip skip {clip_skip}; allowed: 1 to {LAYERS}"):
        clip.encoder(EncoderOptions(clip_skip=clip_skip))


def test_the_last_norm_is_found_in_models_of_either_shape(clip: TinyClip) -> None:
    older = SimpleNamespace(text_model=clip.text_encoder)

    assert final_layer_norm(older) is final_layer_norm(clip.text_encoder) is clip.text_encoder.final_layer_norm


def test_and_parts_are_encoded_apart_with_their_weights(clip: TinyClip) -> None:
    parts = clip.encode("x :1.5 AND y:-0.5 AND z").parts

    assert [part.weight for part in parts] == [1.5, -0.5, 1.0]
    for part, word in zip(parts, "xyz", strict=True):
        torch.testing.assert_close(part.at(0).tokens, clip.plain([word]))


def test_the_shorter_part_repeats_its_last_token(clip: TinyClip) -> None:
    longer, shorter = clip.encode("x BREAK y AND z").parts

    assert longer.at(0).tokens.shape == shorter.at(0).tokens.shape == (154, WIDTH)
    torch.testing.assert_close(shorter.at(0).tokens[:77], clip.plain(["z"]))
    assert torch.equal(shorter.at(0).tokens[77:], clip.plain(["z"])[-1:].expand(77, -1))


def test_a_shorter_variant_gets_empty_chunks(clip: TinyClip) -> None:
    (part,) = clip.encode("[x BREAK y:z:5]").parts

    torch.testing.assert_close(part.at(19).tokens, torch.cat([clip.plain(["z"]), clip.plain([])]))


def test_and_and_a_trailing_weight_are_text_in_a_negative_prompt(clip: TinyClip) -> None:
    encoder = clip.encoder()

    (negative,) = encoder.encode_negative(["x AND y:0.5"], CLOCK)

    (part,) = negative.parts
    assert part.weight == 1
    assert not torch.allclose(part.at(0).tokens, clip.plain(["x"]))


def test_all_prompts_of_a_batch_have_one_token_count(clip: TinyClip) -> None:
    first, second, third = clip.encoder().encode(["x", "x BREAK y", "x"], CLOCK)

    assert first.parts[0].at(0).tokens.shape == second.parts[0].at(0).tokens.shape == (154, WIDTH)
    assert third.parts[0].at(0).tokens is first.parts[0].at(0).tokens


def test_img2img_at_half_strength_never_meets_the_second_text(clip: TinyClip) -> None:
    (part,) = clip.encode("[x:y:0.5]", steps=20).parts
    called = [part.at(counter).tokens for counter in range(20)]
    x, y = clip.plain(["x"]), clip.plain(["y"])

    is_x = [torch.allclose(tokens, x, atol=1e-5) for tokens in called]

    assert is_x == [True] * 11 + [False] * 9
    torch.testing.assert_close(called[11], y)


def test_a_second_order_sampler_doubles_the_timeline(clip: TinyClip) -> None:
    (conditioning,) = clip.encoder().encode(["[x:y:0.5]"], PromptClock(20, second_order=True))

    assert [timed.until for timed in conditioning.parts[0].timeline] == [20, 40]


def test_an_embedding_stands_for_its_name_in_any_case_with_the_weight_around(clip: TinyClip) -> None:
    seen: list[torch.Tensor] = []
    vectors = torch.arange(2 * WIDTH, dtype=torch.float32).reshape(2, WIDTH)
    encoder = clip.encoder(NO_NORM, [inversion("s-t", vectors, "abababababab"), inversion("q", vectors)])
    handle = clip.text_encoder.encoder.layers[0].register_forward_pre_hook(
        lambda _module, args, kwargs: seen.append(args[0] if args else kwargs["hidden_states"]), with_kwargs=True
    )

    try:
        (conditioning,) = encoder.encode(["x S-T"], CLOCK)
    finally:
        handle.remove()

    positions = clip.text_encoder.embeddings.position_embedding.weight
    torch.testing.assert_close(seen[0][0, 2:4], vectors + positions[2:4])
    assert encoder.infotext_extra() == {"TI hashes": "s-t: abababababab"}
    assert conditioning.parts[0].at(0).tokens.shape == (77, WIDTH)


@pytest.mark.parametrize(
    ("prompts", "expected"),
    [
        (["", "a s b"], "s: 1"),
        (["s", "s"], "s: 1, s: 1"),
        (["s", "t"], "t: 2, s: 1"),
        (["", "s AND t"], "t: 2, s: 1"),
        (["", "[t:s:0.5] s"], "t: 2, s: 1"),
        (["", "[x BREAK t:s:0.5]"], "s: 1, t: 2"),
        (["", "u"], None),
    ],
)
def test_infotext_has_the_embeddings_of_every_call_before_those_of_the_calls_before(
    clip: TinyClip, prompts: list[str], expected: str | None
) -> None:
    vectors = torch.ones(1, WIDTH)
    encoder = clip.encoder(
        NO_NORM, [inversion("s", vectors, "1"), inversion("t", vectors, "2"), inversion("u", vectors)]
    )

    encoder.encode_negative(prompts[:1], CLOCK)
    encoder.encode(prompts[1:], CLOCK)

    assert encoder.infotext_extra().get("TI hashes") == expected


def test_the_models_own_embedding_is_back_after_an_insertion(clip: TinyClip) -> None:
    before = clip.plain(["x"])

    clip.encoder(inversions=[inversion("x", torch.ones(1, WIDTH))]).encode(["x"], CLOCK)

    assert torch.equal(clip.plain(["x"]), before)


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("a", (1, WIDTH + 1), "allowed: clip_l 1 to 75 of 32"),
        ("a", (76, WIDTH), "76 vectors"),
        ("", (1, WIDTH), "word"),
    ],
)
def test_an_embedding_that_cannot_stand_in_a_prompt_is_refused(
    clip: TinyClip, name: str, shape: tuple[int, int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        clip.encoder(inversions=[inversion(name, torch.zeros(shape))])


@pytest.mark.parametrize(
    ("prompt", "emphasis", "expected"),
    [
        ("(x)", EmphasisMode.NO_NORM, {"Emphasis": "No norm"}),
        ("[x]", EmphasisMode.NONE, {"Emphasis": "None"}),
        ("x", EmphasisMode.NO_NORM, {}),
        ("(x)", EmphasisMode.ORIGINAL, {}),
    ],
)
def test_infotext_names_an_unusual_emphasis_where_it_mattered(
    clip: TinyClip, prompt: str, emphasis: EmphasisMode, expected: dict[str, str]
) -> None:
    encoder = clip.encoder(EncoderOptions(emphasis=emphasis))

    encoder.encode([prompt], CLOCK)

    assert encoder.infotext_extra() == expected


@pytest.mark.parametrize("prompt", ["(x:1.2.3)", "x AND (y:1.2.3)", "[x:(y:1.2.3):5]"])
def test_a_weight_that_is_no_number_is_refused(clip: TinyClip, prompt: str) -> None:
    with pytest.raises(PromptSyntaxError):
        clip.encode(prompt)


def test_a_prompt_of_too_many_chunks_is_refused_before_anything_is_encoded(clip: TinyClip) -> None:
    prompt = "[" + "|".join("abcdefghij") + "]" + " BREAK x" * (MAX_CHUNKS // 10)

    with pytest.raises(PromptSyntaxError, match=f"allowed: {MAX_CHUNKS} chunks"):
        clip.encode(prompt)


def test_a_half_precision_model_gives_half_precision_and_weighs_in_full(
    clip: TinyClip, new_text_encoder: Callable[[], Any]
) -> None:
    half = TinyClip(new_text_encoder().to(torch.bfloat16), clip.tokenizer)
    plain = half.plain(["x", "y"]).float()
    weighted = plain.clone()
    weighted[2] *= 1.01

    tokens = half.tokens("x (y:1.01)", NO_NORM)

    assert tokens.dtype is torch.bfloat16
    assert torch.equal(tokens, weighted.to(torch.bfloat16))


def test_a_padding_token_of_its_own_follows_the_first_end_token(clip: TinyClip) -> None:
    encoder = replace(clip, pad_token=VOCABULARY["!"]).encoder()
    ids = torch.tensor([[START, VOCABULARY["x</w>"], END, *[VOCABULARY["!"]] * 74]])
    with torch.no_grad():
        expected = clip.text_encoder(ids).last_hidden_state[0]

    (conditioning,) = encoder.encode(["x"], CLOCK)

    torch.testing.assert_close(conditioning.parts[0].at(0).tokens, expected)


def test_encoding_changes_neither_model_nor_gradients(clip: TinyClip) -> None:
    before = copy.deepcopy(clip.text_encoder.state_dict())

    tokens = clip.tokens("x (y:1.5) BREAK z")

    assert not tokens.requires_grad
    assert all(torch.equal(value, before[name]) for name, value in clip.text_encoder.state_dict().items())
