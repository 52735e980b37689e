"""HyperTile as WebUI's options ask for it: which layers, which tiles, and what infotext says."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from random import Random
from typing import Any

from generate_on_cloud.contract.options import OPTIONS, Options
from generate_on_cloud.contract.params import ImageParams
from generate_on_cloud.webui.infotext.record import InfoValue
from inference_container.diffusion.hypertile import TileGrid, TileLimits, tiled
from inference_container.drawing.hires import HiresPlan
from inference_container.drawing.size_conditioning import SIZED
from inference_container.models.checkpoint import Checkpoint
from inference_container.networks.layer_names import ldm_paths

DEPTHS: Mapping[str, int] = {
    **dict.fromkeys(("input_blocks.1.1", "input_blocks.2.1"), 0),
    **dict.fromkeys(("output_blocks.9.1", "output_blocks.10.1", "output_blocks.11.1"), 0),
    **dict.fromkeys(("input_blocks.4.1", "input_blocks.5.1"), 1),
    **dict.fromkeys(("output_blocks.6.1", "output_blocks.7.1", "output_blocks.8.1"), 1),
    **dict.fromkeys(("input_blocks.7.1", "input_blocks.8.1"), 2),
    **dict.fromkeys(("output_blocks.3.1", "output_blocks.4.1", "output_blocks.5.1"), 2),
    "middle_block.1": 3,
}
"""Of Stable Diffusion 1 and 2, by LDM's names; the first transformer block of each."""
XL_OUTER = ("input_blocks.4.1", "input_blocks.5.1", "output_blocks.3.1", "output_blocks.4.1", "output_blocks.5.1")
XL_INNER = ("input_blocks.7.1", "input_blocks.8.1", "output_blocks.0.1", "output_blocks.1.1", "output_blocks.2.1")
XL_MIDDLE = "middle_block.1"
XL_BLOCKS = 10


class Hypertile:
    """The tiles of one job. As in WebUI, a second pass changes them, also for the first pass of the next batch."""

    def __init__(self, params: ImageParams, *, seed: int) -> None:
        """`seed` is that of the first picture."""
        self._options, self._seed = params.options, seed
        self._random = Random(seed)
        self._size = (params.width, params.height)
        self._of_unet = self._options.hypertile_enable_unet

    @contextmanager
    def on(self, checkpoint: Checkpoint, hires: HiresPlan | None) -> Iterator[None]:
        """Tile the UNet of a pass, the second one with `hires`, inside the block; enter it before token merging."""
        options = self._options
        if hires is not None:
            self._random.seed(self._seed)
            self._size = (hires.width, hires.height)
            self._of_unet = options.hypertile_enable_unet or options.hypertile_enable_unet_secondpass
        with ExitStack() as stack:
            if self._of_unet:
                stack.enter_context(tiled(unet_layers(checkpoint), self._grid(unet_limits(options))))
            yield

    @contextmanager
    def on_decoder(self, checkpoint: Checkpoint) -> Iterator[None]:
        """Tile the decoder of the checkpoint's VAE inside the block."""
        options = self._options
        with ExitStack() as stack:
            if options.hypertile_enable_vae:
                layers = [(checkpoint.vae.decoder.mid_block.attentions[0], 0)]
                stack.enter_context(tiled(layers, self._grid(vae_limits(options))))
            yield

    def _grid(self, limits: TileLimits) -> TileGrid:
        return TileGrid(*self._size, limits, self._random)


def unet_limits(options: Options) -> TileLimits:
    return TileLimits(
        options.hypertile_max_depth_unet, options.hypertile_max_tile_unet, options.hypertile_swap_size_unet
    )


def vae_limits(options: Options) -> TileLimits:
    return TileLimits(options.hypertile_max_depth_vae, options.hypertile_max_tile_vae, options.hypertile_swap_size_vae)


def unet_layers(checkpoint: Checkpoint) -> list[tuple[Any, int]]:
    """The self-attention layers that may be tiled, each with its depth."""
    sdxl = checkpoint.family in SIZED
    found = []
    for path, ldm in ldm_paths(checkpoint.unet):
        if ldm.endswith(".1") and (ldm in DEPTHS or ldm in XL_INNER):
            blocks = checkpoint.unet.get_submodule(path).transformer_blocks
            depths = [_xl_depth(ldm, number) if sdxl else _depth(ldm, number) for number in range(len(blocks))]
            found += [(block.attn1, depth) for block, depth in zip(blocks, depths, strict=True) if depth is not None]
    return found


def _depth(ldm: str, number: int) -> int | None:
    return DEPTHS.get(ldm) if number == 0 else None


def _xl_depth(ldm: str, number: int) -> int | None:
    if ldm in XL_OUTER and number < 2:
        return number
    if number >= XL_BLOCKS:
        return None
    return 1 if ldm in XL_INNER else 2 if ldm == XL_MIDDLE else None


def hypertile_extra(params: ImageParams) -> dict[str, InfoValue]:
    """The entries of infotext that come before all others of a request; defaults are None."""
    options = params.options
    extra: dict[str, InfoValue] = {}
    if options.hypertile_enable_unet:
        extra |= {"Hypertile U-Net": True, **_entries(options, "U-Net", "unet")}
    if options.hypertile_enable_vae:
        extra |= {"Hypertile VAE": True, **_entries(options, "VAE", "vae")}
    return extra


def second_pass_extra(params: ImageParams) -> dict[str, InfoValue]:
    """Those that a second pass adds."""
    options = params.options
    if options.hypertile_enable_unet or not options.hypertile_enable_unet_secondpass:
        return {}
    extra: dict[str, InfoValue] = {"Hypertile U-Net second pass": True, **_entries(options, "U-Net", "unet")}
    if options.hypertile_enable_vae:
        extra |= {"Hypertile VAE": True, **_entries(options, "VAE", "vae")}
    return extra


def _entries(options: Options, name: str, suffix: str) -> dict[str, InfoValue]:
    fields = {"max depth": "max_depth", "max tile size": "max_tile", "swap size": "swap_size"}
    values = {entry: f"hypertile_{field}_{suffix}" for entry, field in fields.items()}
    read = {entry: (getattr(options, field), OPTIONS[field].default) for entry, field in values.items()}
    return {
        f"Hypertile {name} {entry}": None if value == default else value for entry, (value, default) in read.items()
    }
