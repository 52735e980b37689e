"""PNG info without a service: the infotext of a file, its entries, and what is no picture."""

import io
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from generate_on_cloud.cli.exit_codes import ExitCode
from generate_on_cloud.webui.png_info import png_info
from tests.client.goc import Goc

INFOTEXT = "a fox\nNegative prompt: blurred\nSteps: 20, Sampler: Euler, CFG scale: 7, Seed: 7, Size: 64x48"


def picture(infotext: str | None = INFOTEXT, *, kind: str = "png") -> bytes:
    buffer, image = io.BytesIO(), Image.new("RGB", (8, 8))
    if kind == "png":
        texts = PngInfo()
        texts.add_text("workflow", "{}")
        if infotext:
            texts.add_text("parameters", infotext)
        image.save(buffer, "png", pnginfo=texts)
    else:
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + (infotext or "").encode("utf-16-be")
        image.save(buffer, kind, exif=exif)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_a_picture_says_how_it_was_made(kind: str) -> None:
    info = png_info(picture(kind=kind))

    assert info.infotext == INFOTEXT
    assert (info.prompt, info.negative_prompt) == ("a fox", "blurred")
    assert {"Seed": "7", "Size-1": "64", "Clip skip": "1"}.items() <= info.parameters.items()
    assert info.texts == ({"workflow": "{}"} if kind == "png" else {"exif comment": INFOTEXT})


def test_a_picture_without_an_infotext_has_no_parameters() -> None:
    info = png_info(picture(None))

    assert (info.infotext, info.prompt, info.parameters, info.texts) == ("", "", {}, {"workflow": "{}"})


def test_goc_prints_the_infotext_of_each_picture_of_a_folder(goc: Goc, tmp_path: Path) -> None:
    folder = tmp_path / "drawn"
    folder.mkdir()
    (folder / "a.png").write_bytes(picture())
    (folder / "b.png").write_bytes(picture(None))

    said = goc("png-info", "drawn")

    assert said.out == f"drawn/a.png:\n{INFOTEXT}\ndrawn/b.png:\n"
    assert "drawn/b.png has no infotext" in said.err


def test_goc_names_a_file_that_is_no_picture(goc: Goc, tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"a text")

    said = goc("png-info", "x.png")

    assert said.code == ExitCode.FAILED
    assert "x.png: received 6 bytes that are not a picture" in said.err
