"""The family's interrogator and taggers: their parts before training, and what the committed ones can do."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from demo_models.captioner import PREFIX, VOCABULARY, build_config, phrase, tokenize
from demo_models.clip import LISTS, find_unused, list_fitting
from demo_models.eval_interrogation import measure_interrogation, names_everything, score_tags
from demo_models.interrogation import INTERROGATOR, ONNX_TAGGER, TAGGER, export_taggers
from demo_models.renderer import Renderer
from demo_models.scenes import ALL_TAGS, draw_scenes, list_tags
from demo_models.tagger import SEEN, SHRINKING, TAGS, build_tagger, shrink
from generate_on_cloud.contract.assets import AssetType
from inference_container.models.files import ModelFile
from inference_container.models.tagger import load_tagger

torch.set_num_threads(1)
SCENES = list(itertools.islice(draw_scenes(seed=21, split="held_out"), 60))


def test_every_caption_is_long_enough_for_webuis_least_length_and_has_only_known_words() -> None:
    ids = tokenize([phrase(scene) for scene in SCENES])

    unknown, pad = VOCABULARY.index("[UNK]"), VOCABULARY.index("[PAD]")
    lengths = (ids != pad).sum(1)
    assert (ids != unknown).all()
    assert len(set(VOCABULARY)) == len(VOCABULARY) == build_config().text_config.vocab_size
    # With [DEC] and before [SEP]: 24 are asked for at least, 48 at most.
    assert lengths.min() - 1 >= 24
    assert lengths.max() <= 48
    assert all(phrase(scene).startswith(f"{PREFIX} a") for scene in SCENES)


def test_beside_an_unused_direction_a_norm_only_scales() -> None:
    lot = torch.Generator().manual_seed(1)
    # Hardly any difference along one direction, which has no mean.
    quiet = torch.nn.functional.normalize(torch.randn(128, generator=lot) - 0.05, dim=0)
    quiet = torch.nn.functional.normalize(quiet - quiet.mean(), dim=0)
    tokens = torch.randn(40, 65, 128, generator=lot)
    tokens = tokens - 0.999 * (tokens @ quiet)[..., None] * quiet

    beside = find_unused(tokens)
    normed = torch.nn.functional.layer_norm(tokens + beside, (128,)) * beside.square().mean().sqrt() - beside

    expected = tokens - tokens.mean(-1, keepdim=True)
    assert (normed - expected).norm() < 0.05 * expected.norm()
    assert abs(float(beside.mean())) < 1e-4


def test_exactly_the_true_phrases_of_each_list_fit_a_scene() -> None:
    for scene in SCENES:
        fitting = {name: [LISTS[name][index] for index in rows] for name, rows in list_fitting(scene).items()}

        assert [" ".join(said.split()[1:]) for said in fitting["backgrounds"]] == [f"{scene.background} background"]
        named = {" ".join(said.split()[1:]) for said in fitting["subjects"]}
        assert named == {f"{thing.colour} {thing.shape}" for thing in scene.things}
        (arrangement,) = fitting["arrangements"]
        assert arrangement.startswith("two things" if scene.arrangement else "one thing")


def test_a_tagger_learns_from_what_its_own_shrinking_blocks_make_of_a_picture() -> None:
    network = build_tagger()
    pictures = Renderer().render(SCENES[:2])
    enlarged = [
        one.resize((512, 512), Image.Resampling.LANCZOS)
        for one in (Image.fromarray(each.permute(1, 2, 0).numpy()) for each in pictures)
    ]
    pixels = torch.stack([torch.from_numpy(np.array(one)) for one in enlarged]).float() / 255

    seen = network.pass_blocks(network.shrink(pixels), range(SHRINKING)).detach() * 255

    torch.testing.assert_close(seen[:, :SEEN], shrink(pictures).float(), atol=0.51, rtol=0)
    assert not seen[:, SEEN:].any()


def test_the_tagger_as_a_packed_file_and_as_onnx_say_the_same(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = build_tagger()
    for parameter in network.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.05)
    state = network.state_dict()
    (tmp_path / "tagger").mkdir()
    torch.save({theirs: state[ours] for ours, theirs in network.file_names.items()}, tmp_path / "tagger" / "tagger.pt")
    export_taggers(tmp_path, tmp_path / "t.safetensors", tmp_path / "t.zip")
    # Of the right size already, so that both see the same pixels.
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (512, 512, 3), dtype=np.uint8))

    packed, onnx = (
        load_tagger(
            ModelFile(AssetType.TAGGER, name, tmp_path / name, name), device=torch.device("cpu"), dtype=torch.float32
        )
        for name in ("t.safetensors", "t.zip")
    )

    np.testing.assert_allclose(onnx.score(picture), packed.score(picture), atol=2e-3)
    assert [tag.name for tag in onnx.tags] == [tag.name for tag in packed.tags] == list(TAGS)


def test_a_caption_names_everything_only_when_colour_and_shape_stand_together() -> None:
    (scene,) = itertools.islice(draw_scenes(seed=22, split="held_out", things=1), 1)
    thing = scene.things[0]

    assert names_everything(f"a {thing.colour} {thing.shape} on a {scene.background} background", scene)
    assert not names_everything(f"a {thing.shape} {thing.colour} on a {scene.background} background", scene)
    assert not names_everything(f"a {thing.colour} {thing.shape}", scene)


def test_the_figure_of_tags_counts_what_is_wrong_and_what_is_missing() -> None:
    right = [[tag.replace(" ", "_") for tag in list_tags(scene)] for scene in SCENES[:4]]
    total = sum(map(len, right))

    assert score_tags(right, SCENES[:4]) == 100
    assert score_tags([right[0][1:], *right[1:]], SCENES[:4]) == pytest.approx(100 * 2 * (total - 1) / (2 * total - 1))
    extra = next(tag for tag in ALL_TAGS if tag not in list_tags(SCENES[0]))
    assert score_tags([[*right[0], extra], *right[1:]], SCENES[:4]) == pytest.approx(100 * 2 * total / (2 * total + 1))


def test_the_committed_models_are_small_and_say_what_held_out_renders_show() -> None:
    assert sum(path.stat().st_size for path in (INTERROGATOR, TAGGER, ONNX_TAGGER)) <= 8_000_000

    figures = {name: value for name, value, _ in measure_interrogation(24)}

    assert min(value for name, value in figures.items() if "F1" in name) >= 96
    assert figures["CLIP interrogation: caption names all shapes, colours"] >= 80
    assert figures["CLIP interrogation: best of subjects is true"] >= 85
