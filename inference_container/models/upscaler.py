"""Loads upscalers (ESRGAN and its relatives); the spandrel library recognizes their architecture by the tensors."""

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
from generate_on_cloud.model_files.wrappings import without_prefixes
from inference_container.models.files import ModelFile
from inference_container.models.tensor_file import incompatible, open_tensor_file

ARCHITECTURES = (
    "ATD", "Compact", "CRAFT", "DAT", "DITN", "DRCT", "ESRGAN", "GRL", "HAT", "MMRealSR", "MoSR", "OmniSR", "PLKSR",
    "RealCUGAN", "RGT", "SAFMN", "SCUNet", "SPAN", "Swin2SR", "SwinIR",
)  # fmt: skip
"""spandrel's architectures for whole pictures, without those for faces or holes. `ESRGAN` includes Real-ESRGAN."""

RAM = torch.device("cpu")
MAX_FACTOR = 16
MAX_REASON = 300
"""Maximum characters of the library's message in ours."""
_NUMBERS = re.compile(r"(?<![0-9A-Za-z])[0-9]+(?![0-9A-Za-z])")

# The errors raised by building a network with inconsistent sizes.
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
    """A network that enlarges pictures by `factor`."""

    network: Any
    """Maps (1, 3, height, width) in 0..1 to the same format; as in WebUI, the first channel is blue."""
    factor: int
    device: torch.device

    @property
    def bytes(self) -> int:
        """Memory that its parameters and buffers take."""
        module = self.network.model
        return sum(tensor.numel() * tensor.element_size() for tensor in (*module.parameters(), *module.buffers()))

    @torch.inference_mode()
    def enlarge(self, image: Image.Image) -> Image.Image:
        """Pass the RGB `image` through the network; the result is clamped and rounded to 8 bits."""
        pixels = np.ascontiguousarray(np.asarray(image.convert("RGB"))[:, :, ::-1].transpose(2, 0, 1))
        given = torch.from_numpy(pixels).to(self.device, torch.float32) / 255
        answer: Tensor = self.network(given[None])[0].float().clamp(0, 1).cpu()
        made = (answer.numpy().transpose(1, 2, 0) * 255).round().astype(np.uint8)
        return Image.fromarray(np.ascontiguousarray(made[:, :, ::-1]))


def load_upscaler(file: ModelFile, *, device: torch.device) -> UpscalerModel:
    """Load an upscaler in float32 and evaluation mode.

    Raises:
        JobFailed: asset_corrupt if the file cannot be read; asset_incompatible if it contains no such network.
    """
    with open_tensor_file(file, holding=AssetType.UPSCALER) as tensors:
        state = {name: tensors.load(name, device=RAM, dtype=torch.float32) for name in tensors.shapes}
    from accelerate import init_empty_weights  # type: ignore[import-untyped]

    with torchvision_names():
        import spandrel
    recognized = (one for one in without_prefixes(state) if any(row.detect(dict(one)) for row in _registry()))
    state = dict(next(recognized, state))
    if any(int(number) > len(state) for name in state for number in _NUMBERS.findall(name)):
        raise incompatible(file, "the numbers in its tensors' names exceed the number of tensors")
    try:
        with init_empty_weights(), warnings.catch_warnings():
            # Build on the meta device first: a few tensors can describe a network of any size.
            warnings.simplefilter("ignore")
            _registry().load(dict(state))
        network = _registry().load(state)
    except spandrel.UnsupportedModelError as error:
        known = ", ".join(ARCHITECTURES)
        raise incompatible(file, f"it holds no network that enlarges pictures; allowed: {known}") from error
    except _MISFITS as error:
        reason = " ".join(str(error).split())[:MAX_REASON]
        raise incompatible(file, f"its network has inconsistent sizes ({reason})") from error
    if not 1 <= network.scale <= MAX_FACTOR:
        raise incompatible(file, f"it enlarges by the factor {network.scale}; allowed: 1 to {MAX_FACTOR}")
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
    """Allow importing spandrel without torchvision, whose wheel breaks transformers when torch is a CPU build.

    Two of spandrel's forty architectures (LaMa and RestoreFormer, for holes and faces, refused here) import three
    functions from torchvision. Stand-ins that only raise replace them during the import and are removed afterwards.
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
