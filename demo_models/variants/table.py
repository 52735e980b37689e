"""The table of the demo checkpoint's variants; to add one, add a row."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from demo_models.variants.amber_vae import train_amber_vae
from demo_models.variants.edges_controlnet import train_edges
from demo_models.variants.hearts import train_hearts
from demo_models.variants.inpaint_checkpoint import train_inpaint
from demo_models.variants.networks import train_cyanotype, train_moon, train_night
from demo_models.variants.sunny import train_sunny
from demo_models.variants.velocity_checkpoint import train_velocity
from generate_on_cloud.contract.assets import AssetType

WEIGHTS = Path(__file__).parent.parent / "weights"


@dataclass(frozen=True)
class Variant:
    type: AssetType
    file: str
    """Name of the file in `weights`."""
    train: Callable[[Path, Path, Path], None]
    """Takes the folder with the trained base, the folder of this training, and the file to write."""

    @property
    def path(self) -> Path:
        return WEIGHTS / self.file


VARIANTS: dict[str, Variant] = {
    "moon": Variant(AssetType.LORA, "moon.safetensors", train_moon),
    "cyanotype": Variant(AssetType.LORA, "cyanotype.safetensors", train_cyanotype),
    "amber": Variant(AssetType.VAE, "amber.vae.safetensors", train_amber_vae),
    "sunny": Variant(AssetType.EMBEDDING, "sunny.pt", train_sunny),
    "hearts": Variant(AssetType.HYPERNETWORK, "hearts.pt", train_hearts),
    "night": Variant(AssetType.LORA, "night.safetensors", train_night),
    "inpaint": Variant(AssetType.CHECKPOINT, "shapes-inpaint.safetensors", train_inpaint),
    "velocity": Variant(AssetType.CHECKPOINT, "shapes-velocity.safetensors", train_velocity),
    "edges": Variant(AssetType.CONTROLNET, "edges.safetensors", train_edges),
}
"""Variants by the name of the stage that trains them."""


def train_variant(name: str, out: Path) -> None:
    """Train a variant on the base in the folder `out`; its file is written next to its training."""
    variant = VARIANTS[name]
    variant.train(out, out / name, out / name / variant.file)
