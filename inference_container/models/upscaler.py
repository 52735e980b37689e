"""Upscaler files (ESRGAN and its relatives) as models: architecture told from the tensors, by the spandrel library."""

import importlib.util
import re
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from generate_on_cloud.contract.assets import AssetType
from inference_container.models.files import ModelFile
from inference_container.models.tensor_file import incompatible, open_tensor_file

ARCHITECTURES = (
    "ATD", "Compact", "CRAFT", "DAT", "DITN", "DRCT", "ESRGAN", "GRL", "HAT", "MMRealSR", "MoSR", "OmniSR", "PLKSR",
    "RealCUGAN", "RGT", "SAFMN", "SCUNet", "SPAN", "Swin2SR", "SwinIR",
)  # fmt: skip
"""Of spandrel's: those that enlarge or clean a whole picture, not a face or a hole. `ESRGAN` is Real-ESRGAN, too."""

RAM = torch.device("cpu")
MAX_FACTOR = 16
MAX_REASON = 300
"""Characters of what the library says of a misfit."""
_NUMBERS = re.compile(r"(?<![0-9A-Za-z])[0-9]+(?![0-9A-Za-z])")

# What building a network of sizes that do not fit raises.
_MISFITS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    IndexError,
    KeyError,
    NotImplementedError,
    RuntimeError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True)
class UpscalerModel:
    """A network that makes pictures `factor` times larger."""

    network: Any
    """Takes and gives (1, 3, height, width) in 0..1; its first channel is blue, as WebUI feeds it."""
    factor: int
    device: torch.device

    @property
    def bytes(self) -> int:
        """Memory its parameters and buffers take."""
        module = self.network.model
        return sum(tensor.numel() * tensor.element_size() for tensor in (*module.parameters(), *module.buffers()))

    @torch.inference_mode()
    def enlarge(self, image: Image.Image) -> Image.Image:
        """RGB `image` through the network, clamped and rounded to 8 bits."""
        pixels = np.ascontiguousarray(np.asarray(image.convert("RGB"))[:, :, ::-1].transpose(2, 0, 1))
        given = torch.from_numpy(pixels).to(self.device, torch.float32) / 255
        answer: Tensor = self.network(given[None])[0].float().clamp(0, 1).cpu()
        made = (answer.numpy().transpose(1, 2, 0) * 255).round().astype(np.uint8)
        return Image.fromarray(np.ascontiguousarray(made[:, :, ::-1]))


def load_upscaler(file: ModelFile, *, device: torch.device) -> UpscalerModel:
    """Read an upscaler, float32, in evaluation mode.

    Raises:
        JobFailed: asset_corrupt when the file cannot be read; asset_incompatible when it holds no such network.
    """
    with open_tensor_file(file, holding=AssetType.UPSCALER) as tensors:
        state = {name: tensors.load(name, device=RAM, dtype=torch.float32) for name in tensors.shapes}
    from accelerate import init_empty_weights  # type: ignore[import-untyped]

    with torchvision_names():
        import spandrel
    state = spandrel.canonicalize_state_dict(state)
    if any(int(number) > len(state) for name in state for number in _NUMBERS.findall(name)):
        raise incompatible(file, "its tensors are numbered higher than there are any")
    try:
        with init_empty_weights(), warnings.catch_warnings():
            # Sizes first, without memory: few tensors can claim a network of many.
            warnings.simplefilter("ignore")
            _registry().load(dict(state))
        network = _registry().load(state)
    except spandrel.UnsupportedModelError as error:
        known = ", ".join(ARCHITECTURES)
        raise incompatible(file, f"it holds no network that enlarges pictures; allowed: {known}") from error
    except _MISFITS as error:
        reason = " ".join(str(error).split())[:MAX_REASON]
        raise incompatible(file, f"its network has sizes that do not fit each other ({reason})") from error
    if not 1 <= network.scale <= MAX_FACTOR:
        raise incompatible(file, f"it enlarges {network.scale} times; allowed: 1 to {MAX_FACTOR}")
    channels = network.input_channels, network.output_channels
    if channels != (3, 3):
        found = f"{network.architecture.name} from {channels[0]} to {channels[1]} channels"
        raise incompatible(file, f"it holds {found}; allowed: from 3 to 3")
    return UpscalerModel(network.to(device).float().eval(), network.scale, device)


@cache
def _registry() -> Any:
    import spandrel

    chosen = spandrel.ArchRegistry()
    chosen.add(*(row for row in spandrel.MAIN_REGISTRY if row.architecture.id in ARCHITECTURES))
    return chosen


@contextmanager
def torchvision_names() -> Iterator[None]:
    """Lets spandrel be imported where there is no torchvision, whose wheel breaks transformers beside a CPU's torch.

    Two of its forty architectures (LaMa and RestoreFormer, for holes and faces, refused here) import three functions
    from it by name. Stand-ins that only raise take their place while spandrel is imported, and are gone afterwards.
    """
    if "spandrel" in sys.modules or importlib.util.find_spec("torchvision") is not None:
        yield
        return

    def missing(*_: object, **__: object) -> object:
        raise NotImplementedError("torchvision is not installed")

    names: Mapping[str, object] = {"normalize": missing, "rotate": missing, "InterpolationMode": missing}
    stand_ins = {name: ModuleType(name) for name in _TORCHVISION}
    vars(stand_ins[_TORCHVISION[-1]]).update(names)
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name in stand_ins:
            del sys.modules[name]


_TORCHVISION = ("torchvision", "torchvision.transforms", "torchvision.transforms.functional")
