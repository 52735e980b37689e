"""Model files and small pictures for the tests of faces."""

import base64
import io

from PIL import Image

from generate_on_cloud.contract.asset_bodies import AssetView
from generate_on_cloud.faces.sdapi.shelf import Shelf


def file(kind: str, name: str, sha256: str, *, status: str = "active", alias: str | None = None) -> AssetView:
    return AssetView.model_validate(
        {
            "asset_id": f"id-{name}", "type": kind, "name": name, "size": 5, "sha256": sha256, "status": status,
            "created_at": "2026-01-02T03:04:05Z", "alias": alias,
            "hashes": {"sha256": sha256, "short": sha256[:10]},
        }
    )  # fmt: skip


def png(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return base64.b64encode(buffer.getvalue()).decode()


PICTURE = png(Image.new("RGB", (8, 8), "red"))
SHELF = Shelf.of(
    [
        file("checkpoint", "shapes.safetensors", "a" * 64),
        file("lora", "moon.safetensors", "b" * 64, alias="crescentMoon"),
        file("vae", "second.vae.pt", "c" * 64),
        file("upscaler", "RealESRGAN_x2plus.pth", "d" * 64),
        file("upscaler", "4x-UltraSharp.pth", "e" * 64),
        file("embedding", "star.pt", "f" * 64),
        file("hypernetwork", "hearts.pt", "0" * 64),
        file("controlnet", "edges_canny.safetensors", "9" * 64),
    ]
)
