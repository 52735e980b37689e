"""A finished drawing before its pictures are encoded, and what a script adds to the params it is made from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from PIL import Image

from generate_on_cloud.contract.params import ImageParams
from generate_on_cloud.contract.selectable_scripts import Img2ImgAlternative
from generate_on_cloud.webui.infotext.record import GenerationRecord, InfoValue


@dataclass(frozen=True)
class DrawingExtras:
    """What selectable scripts hand to a drawing and no request can."""

    notes: Mapping[str, InfoValue] = field(default_factory=lambda: MappingProxyType({}))
    """Infotext entries that precede the drawing's."""
    latent_mask: Image.Image | None = None
    """L, of the request's width and height, 255 = repaint: decides in place of the mask which latents are repainted;
    the mask still decides where the original covers the result."""
    recovery: Img2ImgAlternative | None = None
    """Draw from noise that is found in the init picture."""


NO_EXTRAS = DrawingExtras()


@dataclass(frozen=True)
class Drawing:
    """The pictures of all batches, and how they were made."""

    params: ImageParams
    """As drawn: with the size of the first pass, for example."""
    images: Sequence[Image.Image]
    """RGB, in the order of their seeds."""
    record: GenerationRecord
    """Has the entry `index` of all sequences for `images[index]`."""
    beside: Sequence[Sequence[Image.Image]] = ()
    """For each picture the ones that follow it and have neither infotext nor seed: masks and maps."""
    warnings: tuple[str, ...] = ()
    """Parts of networks that were left out."""
