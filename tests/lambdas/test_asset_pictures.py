"""Pictures that owners give their model files: shown to everybody who may use the file, replaced, removed, deleted."""

import base64
import io
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image

from generate_on_cloud.contract.asset_bodies import MAX_ASSET_PICTURE_BYTES
from tests.lambdas.asset_uploads import BUCKET, sweep, uploaded
from tests.lambdas.cloud import Cloud


def picture(kind: str, color: str = "red") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), color).save(file, format=kind)
    return file.getvalue()


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def stored(cloud: Cloud, url: str) -> tuple[bytes, str]:
    """What the presigned URL means: bytes and media type."""
    parts = urlsplit(url)
    assert "X-Amz-Signature" in parse_qs(parts.query)
    found = cloud.s3.get_object(Bucket=BUCKET, Key=parts.path.removeprefix(f"/{BUCKET}").lstrip("/"))
    return found["Body"].read(), found["ContentType"]


@pytest.mark.parametrize(("kind", "media_type"), [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp")])
def test_a_picture_is_seen_by_whoever_may_use_the_file(cloud: Cloud, kind: str, media_type: str) -> None:
    asset_id = uploaded(cloud)["asset_id"]
    data = picture(kind)

    changed = cloud.ask("PATCH", f"/v1/assets/{asset_id}", {"picture": text(data)}).ok()

    assert stored(cloud, changed["picture_url"]) == (data, media_type)
    listed = cloud.ask("GET", "/v1/assets", user="bob").ok()["assets"]
    assert [stored(cloud, asset["picture_url"]) for asset in listed] == [(data, media_type)]


def test_a_picture_stays_through_other_changes_and_goes_when_it_is_replaced_removed_or_its_file_deleted(
    cloud: Cloud,
) -> None:
    asset_id = uploaded(cloud)["asset_id"]

    def change(body: dict[str, object]) -> str | None:
        url = cloud.ask("PATCH", f"/v1/assets/{asset_id}", body).ok()["picture_url"]
        return None if url is None else urlsplit(url).path

    def pictures() -> list[str]:
        return [key for key in cloud.keys(BUCKET) if "/picture-" in key]

    first = change({"picture": text(picture("PNG"))})
    assert change({"description": "ink"}) == first
    assert change({"picture": text(picture("PNG"))}) == first
    assert len(pictures()) == 1
    assert change({"picture": text(picture("PNG", "blue"))}) != first
    assert len(pictures()) == 1
    assert change({"picture": ""}) is None
    assert pictures() == []
    change({"picture": text(picture("PNG"))})
    cloud.ask("DELETE", f"/v1/assets/{asset_id}").ok()
    cloud.clock.now += timedelta(days=8)
    sweep(cloud)
    assert pictures() == []


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        ("not base64!", "received 'not base64!', which is not base64; allowed: a PNG, JPEG or WebP"),
        (text(b"<svg onload=alert(1)>"), "received a file that begins with b'<svg onload='; allowed: a PNG"),
        (text(b"RIFF1234WAVEfmt "), "received a file that begins with b'RIFF1234WAVE'; allowed: a PNG"),
        (text(picture("PNG") + b"0" * MAX_ASSET_PICTURE_BYTES), "bytes; allowed: a PNG"),
    ],
)
def test_what_is_no_small_picture_is_refused(cloud: Cloud, sent: str, message: str) -> None:
    active = uploaded(cloud)

    problem = cloud.ask("PATCH", f"/v1/assets/{active['asset_id']}", {"picture": sent}).problem(422, "invalid_params")

    assert problem["errors"][0]["pointer"] == "/picture"
    assert message in problem["errors"][0]["message"]
    assert cloud.ask("GET", f"/v1/assets/{active['asset_id']}").ok() == active


def test_a_picture_of_a_change_that_is_refused_is_not_kept(cloud: Cloud) -> None:
    asset_id = uploaded(cloud)["asset_id"]
    cloud.asset("lora", "taken.safetensors")
    body = {"name": "taken.safetensors", "picture": text(picture("PNG"))}

    cloud.ask("PATCH", f"/v1/assets/{asset_id}", body).problem(409, "asset_exists")

    assert [key for key in cloud.keys(BUCKET) if "/picture-" in key] == []
