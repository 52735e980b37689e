"""Caption and ranking models: loaded from what transformers writes, asked as WebUI asks them (semantics §6.1)."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import BlipForConditionalGeneration, CLIPModel

from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from inference_container.models.captioner import PREFIX
from inference_container.models.clip_pixels import center, square, to_clip_values
from inference_container.models.interrogator import Interrogator, load_interrogator
from tests.tiny_interrogation import CONFIG_KEY, LISTS, WORDS, model_file, write_ranking_folder


def load(path: Path) -> Interrogator:
    return load_interrogator(model_file(path), device=torch.device("cpu"), dtype=torch.float32)


@pytest.fixture(scope="session")
def interrogator(models: Path) -> Interrogator:
    return load(models / "mine.zip")


def say(interrogator: Interrogator, picture: Image.Image, **lengths: int) -> str:
    wanted = {"num_beams": 1, "min_length": 24, "max_length": 48, **lengths}
    return interrogator.captioner.caption(picture, tell=lambda _: None, **wanted)


def test_a_folder_of_each_model_zipped_and_both_packed_into_one_file_say_the_same(
    models: Path, interrogator: Interrogator, picture: Image.Image
) -> None:
    packed = load(models / "mine.safetensors")

    assert say(packed, picture) == say(interrogator, picture)
    torch.testing.assert_close(packed.ranker.look(picture), interrogator.ranker.look(picture), rtol=0, atol=0)
    for each in (packed, interrogator):
        assert [(one.name, one.phrases, one.top) for one in each.categories] == [
            ("colours", ("red", "blue"), 1),
            ("pets.top2", ("cat", "dog", "a cat"), 2),
        ]


def test_the_caption_is_what_the_model_itself_makes_of_a_picture_of(
    models: Path, interrogator: Interrogator, picture: Image.Image
) -> None:
    model = BlipForConditionalGeneration.from_pretrained(models / "captions").eval()
    pixels = np.asarray(picture.resize((24, 24), Image.Resampling.BICUBIC)).astype(np.float64) / 255
    pixels = (pixels - [0.48145466, 0.4578275, 0.40821073]) / [0.26862954, 0.26130258, 0.27577711]
    values = torch.from_numpy(pixels.transpose(2, 0, 1)[None]).float()
    prompt = torch.tensor([[WORDS.index(word) for word in ("[CLS]", "a", "picture", "of", "[SEP]")]])

    tokens = model.generate(values, prompt, min_length=24, max_length=30, num_beams=1, do_sample=False)[0].tolist()

    said = " ".join(WORDS[token] for token in tokens[1:] if token not in (0, 3))
    assert said.startswith(PREFIX)
    expected = said.removeprefix(PREFIX).replace(" ##", "").replace(" ,", ",")
    assert say(interrogator, picture, max_length=30) == expected


@pytest.mark.parametrize(("least", "most"), [(24, 48), (10, 10), (5, 7)])
def test_lengths_count_the_four_tokens_of_the_prefix(
    interrogator: Interrogator, picture: Image.Image, least: int, most: int
) -> None:
    told: list[int] = []

    interrogator.captioner.caption(picture, num_beams=1, min_length=least, max_length=most, tell=told.append)

    assert told[0] == 5
    assert least <= told[-1] <= most


def test_beams_are_told_of_too(interrogator: Interrogator, picture: Image.Image) -> None:
    told: list[int] = []

    interrogator.captioner.caption(picture, num_beams=3, min_length=8, max_length=10, tell=told.append)

    assert told == [5, 6, 7, 8, 9, 10]


def test_a_caption_longer_than_the_model_can_say_is_refused(interrogator: Interrogator, picture: Image.Image) -> None:
    with pytest.raises(JobFailed, match="received interrogate_clip_max_length = 61; this model allows up to 60"):
        say(interrogator, picture, max_length=61)


def test_ranks_are_the_softmax_of_a_hundred_times_the_cosine(
    models: Path, interrogator: Interrogator, picture: Image.Image
) -> None:
    model = CLIPModel.from_pretrained(models / "ranking").eval()
    vocabulary = json.loads((models / "ranking" / "vocab.json").read_text(encoding="utf-8"))
    start, end = vocabulary["<|startoftext|>"], vocabulary["<|endoftext|>"]
    words = {word: vocabulary[f"{word}</w>"] for word in ("red", "a", "cat")}
    rows = [[start, words["red"], end, end], [start, words["a"], words["cat"], end]]
    with torch.no_grad():
        # 70×40: the short side becomes 24, the long one int(24·70/40) = 42, of which 24 are cut from 9 on.
        middle = picture.resize((42, 24), Image.Resampling.BICUBIC).crop((9, 0, 33, 24))
        picture_features = model.get_image_features(to_clip_values(middle)).pooler_output[0].double()
        phrase_features = model.get_text_features(torch.tensor(rows)).pooler_output.double()
    cosines = [float(picture_features @ row / picture_features.norm() / row.norm()) for row in phrase_features]
    expected = torch.tensor([100 * cosine for cosine in cosines]).softmax(0)

    features = interrogator.ranker.features("test of ranks", ["red", "a cat"], tell=lambda _: None)
    ranks = interrogator.ranker.rank(interrogator.ranker.look(picture), features)

    torch.testing.assert_close(ranks, expected, rtol=1e-3, atol=1e-6)


def test_a_phrase_longer_than_the_model_reads_is_cut(interrogator: Interrogator) -> None:
    long = interrogator.ranker.features("long", ["cat " * 50], tell=lambda _: None)
    longer = interrogator.ranker.features("longer", ["cat " * 60], tell=lambda _: None)

    torch.testing.assert_close(long, longer, rtol=0, atol=0)


def test_phrases_are_encoded_once_and_more_of_a_list_adds_to_them(models: Path) -> None:
    ranker = load(models / "mine.zip").ranker
    told: list[int] = []

    two = ranker.features("pets", ["cat", "dog"], tell=told.append)
    three = ranker.features("pets", ["cat", "dog", "a cat"], tell=told.append)
    again = ranker.features("pets", ["cat"], tell=told.append)

    assert told == [0, 2, 2, 3, 1]
    torch.testing.assert_close(three[:2], two, rtol=0, atol=0)
    torch.testing.assert_close(again, two[:1], rtol=0, atol=0)


def test_blip_is_shown_all_of_a_picture_and_clip_its_middle(picture: Image.Image) -> None:
    tall = picture.transpose(Image.Transpose.ROTATE_90)

    assert square(picture, 24).size == (24, 24)
    assert center(tall, 24).tobytes() == tall.resize((24, 42), Image.Resampling.BICUBIC).crop((0, 9, 24, 33)).tobytes()
    assert center(Image.new("RGB", (24, 25)), 24).size == (24, 24)
    assert center(Image.new("RGB", (1, 3000)), 24).size == (24, 24)


def test_clip_values_are_normalised_by_openais_figures() -> None:
    values = to_clip_values(Image.new("RGB", (2, 1), (255, 0, 128)))

    assert values.shape == (1, 3, 1, 2)
    expected = [(1 - 0.48145466) / 0.26862954, -0.4578275 / 0.26130258, (128 / 255 - 0.40821073) / 0.27577711]
    torch.testing.assert_close(values[0, :, 0, 1], torch.tensor(expected), rtol=1e-6, atol=1e-6)


def test_a_model_without_lists_looks_at_those_of_the_package(models: Path, tmp_path: Path) -> None:
    bare = copy_zip(models / "mine.zip", tmp_path / "bare.zip", lambda name, data: None if "/lists/" in name else data)

    assert [one.name for one in load(bare).categories] == ["artists", "flavors", "mediums", "movements"]


def test_what_two_names_share_may_be_saved_once_or_twice(
    models: Path, interrogator: Interrogator, picture: Image.Image, tmp_path: Path
) -> None:
    weights = load_file(models / "captions" / "model.safetensors")
    tied = "text_decoder.cls.predictions.decoder.weight"
    source = "text_decoder.bert.embeddings.word_embeddings.weight"
    known = weights[source]
    once = {name: value for name, value in weights.items() if name != tied} | {source: known}
    twice = {**once, tied: known.clone(), "text_decoder.bert.embeddings.position_ids": torch.arange(60)[None]}

    for state in (once, twice):
        save_file(state, tmp_path / "model.safetensors")
        data = (tmp_path / "model.safetensors").read_bytes()
        path = copy_zip(
            models / "mine.zip",
            tmp_path / "tied.zip",
            lambda name, old, data=data: data if name.endswith("captions/model.safetensors") else old,  # type: ignore[misc]
        )
        assert say(load(path), picture) == say(interrogator, picture)


def copy_zip(source: Path, path: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    """The archive with each member as `change` has it; None leaves it out."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            if (data := change(name, old.read(name))) is not None:
                new.writestr(name, data)
    return path


def without(part: str) -> Callable[[str, bytes], bytes | None]:
    return lambda name, data: None if name.endswith(part) else data


def replacing(part: str, text: str) -> Callable[[str, bytes], bytes | None]:
    return lambda name, data: text.encode() if name.endswith(part) else data


def with_config(part: str, **fields: object) -> Callable[[str, bytes], bytes | None]:
    def change(name: str, data: bytes) -> bytes:
        return json.dumps({**json.loads(data), **fields}).encode() if name.endswith(part) else data

    return change


def in_section(part: str, section: str, **fields: object) -> Callable[[str, bytes], bytes | None]:
    def change(name: str, data: bytes) -> bytes:
        document = json.loads(data) if name.endswith(part) else {}
        return json.dumps({**document, section: {**document[section], **fields}}).encode() if document else data

    return change


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (without("captions/config.json"), "incompatible", r'"model_type": "blip"; its models: mine/ranking \(clip\)'),
        (without("ranking/config.json"), "incompatible", '"model_type": "clip"'),
        (without("captions/model.safetensors"), "incompatible", "it has no mine/captions/model.safetensors"),
        (without("captions/vocab.txt"), "incompatible", "has no vocab.txt"),
        (without("ranking/merges.txt"), "incompatible", "has no merges.txt"),
        (replacing("captions/config.json", "[]"), "incompatible", "captions/config.json in it is not a JSON object"),
        (replacing("captions/config.json", "{"), "incompatible", "captions/config.json in it is not JSON"),
        (replacing("captions/vocab.txt", "a\nb"), "incompatible", r"vocab.txt lacks \[PAD\], \[UNK\]"),
        (
            replacing("captions/vocab.txt", "\n".join([*WORDS, *"xyz"])),
            "incompatible",
            "more words than its vocab_size",
        ),
        (replacing("ranking/vocab.json", '{"a": "b"}'), "incompatible", "are not a vocabulary"),
        (replacing("ranking/vocab.json", '{"a": 1}'), "incompatible", "vocabulary lacks"),
        (replacing("ranking/merges.txt", "a b c"), "incompatible", "are not a vocabulary"),
        (replacing("captions/model.safetensors", "junk"), "corrupt", "mine/captions/model.safetensors in it"),
        (in_section("captions/config.json", "vision_config", num_hidden_layers=10**9), "incompatible", "up to 100"),
        (in_section("captions/config.json", "vision_config", image_size=10**5), "incompatible", "up to 4096"),
        (
            in_section("ranking/config.json", "text_config", max_position_embeddings=10**12),
            "incompatible",
            "up to 1000",
        ),
        (in_section("ranking/config.json", "vision_config", image_size=[24, 24]), "incompatible", r"\[24, 24\]"),
        (in_section("captions/config.json", "text_config", hidden_size=40), "incompatible", "of shape"),
        (in_section("captions/config.json", "text_config", num_attention_heads=5), "incompatible", "is not valid"),
        (in_section("captions/config.json", "text_config", hidden_act="os.system"), "incompatible", "is not valid"),
        (with_config("captions/config.json", text_config=None), "incompatible", "has no text_config"),
        (with_config("ranking/config.json", projection_dim=17), "incompatible", "of shape"),
        (in_section("ranking/config.json", "vision_config", hidden_size="x"), "incompatible", "is not valid"),
    ],
)
def test_an_asset_that_is_not_whole_is_refused_with_the_reason(
    models: Path, tmp_path: Path, change: Callable[[str, bytes], bytes | None], code: str, words: str
) -> None:
    path = copy_zip(models / "mine.zip", tmp_path / "mine.zip", change)

    with pytest.raises(JobFailed, match=words) as refused:
        load(path)

    assert refused.value.error.code == f"asset_{code}"


def test_what_a_configuration_says_beside_its_own_fields_is_not_heeded(
    models: Path, tmp_path: Path, interrogator: Interrogator, picture: Image.Image
) -> None:
    foreign = {
        "auto_map": {"AutoModel": "evil.Model"},
        "_attn_implementation": "evil/kernels",
        "attn_implementation": "evil/kernels",
        "dtype": "float16",
        "quantization_config": {"quant_method": "evil"},
    }
    path = copy_zip(models / "mine.zip", tmp_path / "mine.zip", with_config("captions/config.json", **foreign))
    path = copy_zip(path, tmp_path / "again.zip", in_section("ranking/config.json", "text_config", **foreign))

    assert say(load(path), picture) == say(interrogator, picture)


def test_a_file_of_one_model_without_texts_says_how_to_pack_it(models: Path) -> None:
    with pytest.raises(JobFailed, match=rf"no {CONFIG_KEY}; pack the models' folders into a .zip") as refused:
        load(models / "captions" / "model.safetensors")

    assert refused.value.error.code is JobErrorCode.ASSET_INCOMPATIBLE


def test_memory_is_counted_with_the_features_of_all_lists(models: Path, interrogator: Interrogator) -> None:
    phrases = sum(len(text.splitlines()) for text in LISTS.values())
    saved = (load_file(models / folder / "model.safetensors") for folder in ("captions", "ranking"))
    parameters = sum(4 * tensor.numel() for state in saved for tensor in state.values())

    assert parameters + 4 * 16 * phrases <= interrogator.bytes < 1.01 * parameters + 4 * 16 * phrases


def test_a_missing_tensor_is_named(models: Path, tmp_path: Path) -> None:
    state = load_file(models / "ranking" / "model.safetensors")
    del state["visual_projection.weight"]
    write_ranking_folder(tmp_path / "r")
    save_file(state, tmp_path / "r" / "model.safetensors")
    data = (tmp_path / "r" / "model.safetensors").read_bytes()
    path = copy_zip(
        models / "mine.zip",
        tmp_path / "mine.zip",
        lambda name, old: data if name.endswith("ranking/model.safetensors") else old,
    )

    with pytest.raises(JobFailed, match=r"mine/ranking lacks visual_projection\.weight") as refused:
        load(path)

    assert refused.value.error.code is JobErrorCode.ASSET_CORRUPT
