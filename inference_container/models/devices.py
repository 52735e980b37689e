"""The device and precision that models run with."""

import torch

from inference_container.allocator import DeviceName
from inference_container.settings import DtypeName

_DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def choose_device(name: DeviceName) -> torch.device:
    """Choose the device; `auto` takes the GPU if there is one.

    Raises:
        ValueError: `cuda` was requested, but the machine has no CUDA device.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("DEVICE is cuda, but this machine has no CUDA device; allowed here: auto, cpu")
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(name)


def choose_dtype(name: DtypeName, device: torch.device) -> torch.dtype:
    """Choose the precision of UNet and text encoder; `auto` is float16 on a GPU and float32 on a CPU.

    Raises:
        ValueError: float16 was requested on a CPU, which lacks kernels for some operations.
    """
    if name == "auto":
        return torch.float16 if device.type == "cuda" else torch.float32
    if name == "float16" and device.type == "cpu":
        raise ValueError("DTYPE is float16, but the models run on the CPU; allowed there: auto, float32, bfloat16")
    return _DTYPES[name]


def vae_dtype(device: torch.device, dtype: torch.dtype) -> torch.dtype:
    """The VAE's precision: float32, since less loses visible detail, except on a GPU, where memory is scarce."""
    return dtype if device.type == "cuda" else torch.float32
