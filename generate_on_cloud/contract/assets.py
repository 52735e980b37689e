"""The types of model file a user can upload, one table row each, and the model files a job was resolved to."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from generate_on_cloud.contract.bodies import View


class AssetType(StrEnum):
    CHECKPOINT = "checkpoint"
    VAE = "vae"
    LORA = "lora"
    HYPERNETWORK = "hypernetwork"
    EMBEDDING = "embedding"
    CONTROLNET = "controlnet"
    INTERROGATOR = "interrogator"
    TAGGER = "tagger"
    STYLES = "styles"
    UPSCALER = "upscaler"
    FACE_RESTORATION = "face_restoration"
    PREPROCESSOR = "preprocessor"


class PredictionType(StrEnum):
    """What a checkpoint's UNet was trained to predict."""

    EPSILON = "epsilon"
    V_PREDICTION = "v_prediction"


class AssetStatus(StrEnum):
    UPLOADING = "uploading"
    """The client sends parts."""
    IMPORTING = "importing"
    """The service is fetching it from a URL."""
    INSPECTING = "inspecting"
    """All bytes have arrived and are being checked."""
    ACTIVE = "active"
    FAILED = "failed"
    DELETED = "deleted"
    """Its bytes stay for some days, in which it can be restored; no job and no list finds it."""


@dataclass(frozen=True)
class AssetRule:
    """Limits of one asset type."""

    extensions: tuple[str, ...]
    max_bytes: int
    webui_folder: str
    """WebUI's folder for such files; accepted as an alias of the type name."""


GIB = 1024**3
MAX_STYLES_BYTES = 1024**2
"""Limit for a styles file; the API reads it while it answers a request."""

ASSET_TYPES: Mapping[AssetType, AssetRule] = {
    AssetType.CHECKPOINT: AssetRule((".safetensors", ".ckpt"), 32 * GIB, "Stable-diffusion"),
    AssetType.VAE: AssetRule((".safetensors", ".pt", ".pth", ".ckpt"), 4 * GIB, "VAE"),
    AssetType.LORA: AssetRule((".safetensors", ".pt", ".ckpt"), 8 * GIB, "Lora"),
    AssetType.HYPERNETWORK: AssetRule((".pt",), 4 * GIB, "hypernetworks"),
    AssetType.EMBEDDING: AssetRule((".safetensors", ".pt", ".bin", ".png"), GIB // 4, "embeddings"),
    AssetType.CONTROLNET: AssetRule((".safetensors", ".pth"), 16 * GIB, "ControlNet"),
    AssetType.INTERROGATOR: AssetRule((".safetensors", ".zip"), 8 * GIB, "interrogate"),
    AssetType.TAGGER: AssetRule((".safetensors", ".pt", ".zip"), 4 * GIB, "torch_deepdanbooru"),
    AssetType.STYLES: AssetRule((".csv",), MAX_STYLES_BYTES, "styles"),
    AssetType.UPSCALER: AssetRule((".pth", ".pt", ".safetensors"), GIB, "ESRGAN"),
    AssetType.FACE_RESTORATION: AssetRule((".pth", ".pt", ".safetensors"), GIB, "GFPGAN"),
    AssetType.PREPROCESSOR: AssetRule((".pth", ".pt", ".safetensors", ".onnx"), 4 * GIB, "ControlNetPreprocessor"),
}


def asset_type_named(name: str) -> AssetType | None:
    """The type called `name`, by its own name or WebUI's folder name; None if there is none."""
    for asset_type, rule in ASSET_TYPES.items():
        if name in (asset_type.value, rule.webui_folder):
            return asset_type
    return None


class ResolvedModel(View):
    """A model file that the request named."""

    type: AssetType
    name: str
    sha256: str | None
    """As declared by its uploader."""
