"""Which formats of pictures are taken in a request: those that the container reads, and no other."""

import base64
import io
import struct

import numpy as np
import pytest
from PIL import Image

from generate_on_cloud.contract.errors import JobFailed
from inference_container.pictures.decoding import FORMATS, decode_picture
from lambdas.jobs.pictures import picture_errors

PIXELS = np.random.default_rng(5).integers(0, 255, (24, 32, 3), dtype=np.uint8)


def refusal(data: bytes) -> str:
    errors = picture_errors({"mask": base64.b64encode(data).decode()})
    return errors[0].message if errors else ""


def saved(picture_format: str, mode: str = "RGB", **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(PIXELS).convert(mode).save(file, picture_format, **options)
    return file.getvalue()


def plain(kind: str, numbers: object) -> bytes:
    return f"{kind}\n# a comment\n2 2\n{numbers}".encode()


def tiff(array: "np.ndarray[tuple[int, ...], np.dtype[np.generic]]") -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, "TIFF")
    return file.getvalue()


READ: dict[str, bytes] = {
    **{picture_format: saved(picture_format) for picture_format in FORMATS},
    "a grey TGA": saved("TGA", "L"),
    "a TGA with transparency, packed": saved("TGA", "RGBA", compression="tga_rle"),
    "a TGA with a palette": saved("TGA", "P"),
    "a grey DDS": saved("DDS", "L"),
    "a DDS with transparency": saved("DDS", "RGBA"),
    "a PGM": saved("PPM", "L"),
    "a PBM": saved("PPM", "1"),
    "a PGM of 16 bits": b"P5 2 2 65535\n" + struct.pack(">4H", 0, 1000, 40000, 65535),
    "a PPM of 16 bits": b"P6 1 1 65535\n" + struct.pack(">3H", 0, 30000, 65535),
    "a PPM in digits": plain("P3", "255\n" + "1 2 3 " * 4),
    "a PGM in digits": plain("P2", "9\n0 3 6 9"),
    "a PBM in digits": plain("P1", "0 1 1 0"),
    "a TIFF of 16 bits": tiff(np.full((4, 4), 30000, np.uint16)),
    "a GIF of 1987": saved("GIF").replace(b"GIF89a", b"GIF87a"),
}


def ftyp(brand: bytes) -> bytes:
    return struct.pack(">I", 24) + b"ftyp" + brand + bytes(12)


REFUSED: dict[str, tuple[bytes, str]] = {
    "a TIFF of floats": (tiff(np.ones((8, 8), np.float32)), "32 bits per channel"),
    "a TIFF of long numbers": (tiff(np.ones((8, 8), np.int32)), "32 bits per channel"),
    "JPEG 2000": (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(40), "jpeg 2000"),
    "a JPEG 2000 codestream": (b"\xff\x4f\xff\x51" + bytes(40), "jpeg 2000"),
    "JPEG XL": (b"\xff\x0a" + bytes(40), "jpeg xl"),
    "HEIC": (ftyp(b"heic"), "heic"),
    "a video": (ftyp(b"isom"), "mp4"),
    "an icon": (saved("ICO"), "ico"),
    "a cursor": (b"\0\0\2\0\1" + bytes(40), "ico"),
    "icons of macOS": (b"icns" + bytes(40), "icns"),
    "Photoshop": (b"8BPS\0\1" + bytes(40), "psd"),
    "QOI": (b"qoif" + bytes(40), "qoi"),
    "EPS": (saved("EPS"), "eps"),
    "PDF": (b"%PDF-1.7\n" + bytes(40), "pdf"),
    "SVG": (b'<?xml version="1.0"?><svg/>', "svg"),
    "bare SVG": (b"<svg xmlns='x'/>", "svg"),
    "WMF": (b"\xd7\xcd\xc6\x9a" + bytes(40), "wmf"),
    "EXR": (b"\x76\x2f\x31\x01" + bytes(40), "exr"),
    "Radiance": (b"#?RADIANCE\n" + bytes(40), "hdr"),
    "PFM": (b"PF\n1 1\n-1.0\n" + bytes(12), "pfm"),
    "PAM": (b"P7\nWIDTH 1\n", "pam"),
    "a page": (b"<!DOCTYPE html><html></html>", "html"),
    "words": (b"Not found", "not a supported picture"),
    "PCX": (saved("PCX"), "not a supported picture"),
    "nothing but zeros": (bytes(64), "not a supported picture"),
}


@pytest.mark.parametrize("name", READ)
def test_what_the_container_reads_is_taken(name: str) -> None:
    data = READ[name]

    decoded = decode_picture(base64.b64encode(data).decode(), field="mask")

    assert refusal(data) == ""
    assert decoded.mode not in ("I", "F")


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_container_does_not_read_is_refused_by_name_when_it_is_sent(name: str) -> None:
    data, said = REFUSED[name]

    assert said in refusal(data)
    assert "allowed: " in refusal(data)
    with pytest.raises(JobFailed):
        decode_picture(base64.b64encode(data).decode(), field="mask")


def test_sixteen_bits_become_eight_in_pgm_as_in_png() -> None:
    decoded = decode_picture(base64.b64encode(READ["a PGM of 16 bits"]).decode(), field="mask")

    assert list(decoded.tobytes()) == [0, 1000 >> 8, 40000 >> 8, 255]


@pytest.mark.parametrize("cut", range(2, 60, 7))
@pytest.mark.parametrize("start", [b"II*\0", b"MM\0*", b"P6 ", b"DDS ", b"\0\0\2"])
def test_a_head_that_breaks_off_never_breaks_the_check(start: bytes, cut: int) -> None:
    refusal((start + bytes(range(8, 70)))[:cut])
