"""Pictures are resized as WebUI's Pillow 9.5 does it, whatever Pillow is installed, and in one place only."""

import hashlib
import re
from pathlib import Path

import pytest
from PIL import Image

from inference_container.pictures.resampling import resample

Size = tuple[int, int]
Box = tuple[float, float, float, float]
Sizes = tuple[Size, Size]

NEAREST, BILINEAR = Image.Resampling.NEAREST, Image.Resampling.BILINEAR
BICUBIC, LANCZOS = Image.Resampling.BICUBIC, Image.Resampling.LANCZOS


def noise(mode: str, size: Size) -> Image.Image:
    """The same on every machine."""
    count = size[0] * size[1] * len(mode.replace("P", "L"))
    blocks = (hashlib.sha256(str(number).encode()).digest() for number in range(count // 32 + 1))
    image = Image.frombytes(mode, size, b"".join(blocks)[:count])
    if mode == "P":
        image.putpalette(bytes(range(256)) * 3)
    return image


@pytest.mark.parametrize(
    ("mode", "sizes", "way", "box", "digest"),
    [
        ("RGB", ((100, 170), (160, 96)), LANCZOS, None, "1c95312169160ac3"),
        ("RGB", ((128, 128), (192, 64)), LANCZOS, None, "bd65df017ec0e618"),
        ("RGB", ((96, 160), (200, 40)), LANCZOS, None, "5a35369d619648c4"),
        ("L", ((100, 170), (160, 96)), LANCZOS, None, "e2f75f67bc95cd1b"),
        ("RGBA", ((100, 170), (160, 96)), LANCZOS, None, "98051a72a564b509"),
        ("LA", ((60, 90), (97, 31)), BICUBIC, None, "d591b1d698d7b5be"),
        ("RGB", ((128, 128), (192, 64)), BICUBIC, None, "ede4876ceab94566"),
        ("RGB", ((128, 128), (192, 64)), BILINEAR, None, "29f5aec0c329f20f"),
        ("RGB", ((128, 128), (192, 64)), NEAREST, None, "6ba5093eff3a8f27"),
        ("RGB", ((170, 100), (96, 160)), LANCZOS, None, "28ffce11bac947ad"),
        ("RGB", ((64, 64), (128, 128)), LANCZOS, None, "bc2dcd7baff150b5"),
        ("RGB", ((64, 200), (64, 30)), LANCZOS, None, "35b052bdec5f3c62"),
        ("RGB", ((64, 64), (64, 64)), LANCZOS, None, "8f6d638df7cbc03b"),
        ("RGBA", ((64, 64), (64, 64)), LANCZOS, None, "e9d59d409c63c8b0"),
        ("P", ((40, 90), (70, 21)), LANCZOS, None, "b785e6c44d42a0e2"),
        ("RGB", ((80, 150), (130, 40)), BICUBIC, (7.5, 10, 71.25, 140), "fb95f99593300c54"),
        ("RGB", ((96, 64), (128, 16)), BICUBIC, (0, 0, 96, 0), "9fe03021ed19cb06"),
        ("RGB", ((96, 64), (16, 128)), BICUBIC, (96, 0, 96, 64), "69cb5e41a153c2f8"),
    ],
)
def test_values_are_those_of_pillow_9_5_0(
    mode: str, sizes: Sizes, way: Image.Resampling, box: Box | None, digest: str
) -> None:
    size, to = sizes

    done = resample(noise(mode, size), to, way, box=box)

    assert (done.mode, done.size) == (mode, to)
    assert hashlib.sha256(done.tobytes()).hexdigest()[:16] == digest, "digest of Pillow 9.5.0's own Image.resize"


def test_the_container_resizes_pictures_nowhere_else() -> None:
    container = Path(__file__).parents[2] / "inference_container"
    resizing = re.compile(r"(?<!cv2)\.(resize|thumbnail)\(|ImageOps\.(fit|contain|cover|pad|scale)\(")
    found = {
        path.relative_to(container).as_posix()
        for path in container.rglob("*.py")
        if resizing.search(path.read_text(encoding="utf-8"))
    }

    assert found == {"pictures/resampling.py"}
