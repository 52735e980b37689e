"""Texts inside pictures: WebUI's, and those of the tools people's pictures come from."""

import io
import json

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from generate_on_cloud.contract.samplers import ALIASES, SAMPLERS
from generate_on_cloud.webui.picture_texts import EXIF_IFD, MAX_TEXTS, USER_COMMENT, texts_in
from inference_container.pictures.encoding import PictureFormat, encode_picture

NOVELAI = {
    "Title": "AI generated image",
    "Description": "a red circle",
    "Software": "NovelAI",
    "Comment": json.dumps({"steps": 28, "sampler": "k_euler_ancestral", "seed": 5, "scale": 11.0, "uc": "lowres"}),
}


def png(texts: dict[str, str], **saved: object) -> Image.Image:
    info = PngInfo()
    for name, text in texts.items():
        info.add_text(name, text)
    file = io.BytesIO()
    Image.new("RGB", (32, 16)).save(file, "PNG", pnginfo=info, **saved)
    image = Image.open(file)
    image.load()
    return image


def commented(comment: bytes) -> Image.Image:
    exif = Image.Exif()
    exif.get_ifd(EXIF_IFD)[USER_COMMENT] = comment
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "JPEG", exif=exif.tobytes(), dpi=(72, 72), comment=b"c")
    return Image.open(file)


@pytest.mark.parametrize(
    "texts",
    [
        {},
        {"parameters": "a cat\nSteps: 20"},
        {"prompt": '{"3": {}}', "workflow": '{"nodes": []}'},
        {"parameters": "a", "prompt": "{}", "postprocessing": "Postprocess upscale by: 2"},
        {"Comment": "not of NovelAI", "Description": "d"},
        {"parameters": "犬 é"},
    ],
)
def test_every_text_chunk_is_there_by_its_name(texts: dict[str, str]) -> None:
    assert texts_in(png(texts, dpi=(72, 72))) == texts


@pytest.mark.parametrize("picture_format", ["jpeg", "webp", "avif"])
def test_the_infotext_in_exif_is_parameters(picture_format: PictureFormat) -> None:
    written = encode_picture(Image.new("RGB", (16, 16)), picture_format=picture_format, infotext="a 犬\nSteps: 1")

    assert texts_in(Image.open(io.BytesIO(written))) == dict.fromkeys(["parameters", "exif comment"], "a 犬\nSteps: 1")


@pytest.mark.parametrize(
    ("comment", "read"),
    [(b"ASCII\0\0\0a cat", "a cat"), (b"a cat \xff", "a cat "), (b"UNICODE\0\0a", "a"), (b"", None), (b"\0\0", None)],
)
def test_comments_are_read_in_any_encoding(comment: bytes, read: str | None) -> None:
    assert texts_in(commented(comment)).get("parameters") == read


def test_novelais_chunks_make_an_infotext_and_stay() -> None:
    texts = texts_in(png(NOVELAI))

    assert texts.items() >= NOVELAI.items()
    assert texts["parameters"] == (
        "a red circle\nNegative prompt: lowres\n"
        "Steps: 28, Sampler: Euler a, CFG scale: 11.0, Seed: 5, Size: 32x16, Clip skip: 2, ENSD: 31337"
    )


@pytest.mark.parametrize("comment", ["", "{}", "[]", "not JSON", '{"steps": 1}', "[" * 100_000, "5"])
def test_odd_chunks_of_novelai_stay_and_make_nothing(comment: str) -> None:
    texts = NOVELAI | {"Comment": comment}

    assert texts_in(png(texts)) == texts


def test_a_flood_of_text_is_dropped() -> None:
    image = Image.new("RGB", (8, 8))
    image.info["prompt"] = "x" * (MAX_TEXTS + 1)

    assert texts_in(image) == {}


def test_every_alias_means_a_sampler() -> None:
    assert set(ALIASES.values()) == set(SAMPLERS)
