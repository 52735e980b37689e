"""The demo models as real tools write them: the same weights under other names, in other headers and wrappers."""

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint, convert_ldm_vae_checkpoint
from safetensors import safe_open
from safetensors.torch import load, load_file, save
from torch import Tensor

from generate_on_cloud.model_files.family_names import Family
from inference_container.models.upscaler import torchvision_names
from tests.tiny_checkpoint import CONFIG_KEY
from tests.tiny_families import family_config, family_state

State = dict[str, Tensor]
UNET, VAE = "model.diffusion_model.", "first_stage_model."
ENCODER_PARTS = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj", "mlp.fc1", "mlp.fc2")
HINTS = {"conv_in": 0, "conv_out": 14}


class DemoModels:
    """The demo models and what other tools would have written of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shapes, self.moon, self.edges = (self.tensors(name) for name in ("shapes", "moon", "edges"))

    def path(self, name: str) -> Path:
        return self.folder / f"{name}.safetensors"

    def bytes_of(self, name: str) -> bytes:
        return self.path(name).read_bytes()

    def tensors(self, name: str) -> State:
        found: State = load_file(self.path(name))
        return found

    def header(self, name: str) -> dict[str, str]:
        with safe_open(self.path(name), "pt") as opened:
            return dict(opened.metadata() or {})

    def config(self, name: str, part: str) -> dict[str, Any]:
        document = json.loads(self.header(name)[CONFIG_KEY])[part]
        return dict(json.loads(document) if isinstance(document, str) else document)

    def layers(self) -> dict[str, str]:
        """kohya's names of the layers → diffusers'."""
        with torch.device("meta"):
            unet = UNet2DConditionModel.from_config(self.config("shapes", "unet/config.json"))
        names = {"lora_unet_" + path.replace(".", "_"): "unet." + path for path, _ in unet.named_modules() if path}
        paths = [f"text_model.encoder.layers.{layer}.{part}" for layer in range(3) for part in ENCODER_PARTS]
        return names | {"lora_te_" + path.replace(".", "_"): "text_encoder." + path for path in paths}

    def moon_of_peft(self, times: float) -> State:
        """moon in diffusers' names and without alphas; a reader must multiply it by `times`."""
        out: State = {}
        names = self.layers()
        for layer in sorted({name.partition(".")[0] for name in self.moon}):
            out[names[layer] + ".lora_A.weight"] = self.moon[layer + ".lora_down.weight"].clone()
            out[names[layer] + ".lora_B.weight"] = self.moon[layer + ".lora_up.weight"].clone() / times
        return out

    def still(self) -> State:
        """moon without effect."""
        return {name: torch.zeros_like(one) if "lora_up" in name else one for name, one in self.moon.items()}

    def sunny(self) -> Tensor:
        """The vectors of the demo embedding."""
        held = torch.load(self.folder / "sunny.pt", weights_only=True)["string_to_param"]
        vectors: Tensor = next(iter(held.values()))
        return vectors.detach().clone().half()

    def untrained_dora(self) -> State:
        """PEFT's DoRA before its first step, on convolutions: nothing is added, lengths are the weights' own."""
        whole = {name: one for name, one in self.shapes.items() if name.startswith(UNET)}
        unet: State = convert_ldm_unet_checkpoint(whole, self.config("shapes", "unet/config.json"))
        out: State = {}
        for name, tensor in unet.items():
            path = name.removesuffix(".weight")
            if name == path or tensor.ndim != 4 or not ("conv1" in path or "conv_shortcut" in path):
                continue
            weight = tensor.float()
            out[f"unet.{path}.lora_A.weight"] = torch.full((4, *weight.shape[1:]), 0.01)
            out[f"unet.{path}.lora_B.weight"] = torch.zeros(len(weight), 4, 1, 1)
            lengths = weight.norm(p=2, dim=(1, 2, 3), keepdim=True)
            out[f"unet.{path}.lora_magnitude_vector.weight"] = lengths.transpose(1, 0).contiguous()
        return out

    def edges_of_lllyasviel(self) -> State:
        """The ControlNet in LDM's names and half precision."""
        names = [name for name in self.shapes if name.startswith(UNET)]
        marks = {name: torch.tensor([float(number)]) for number, name in enumerate(names)}
        converted = convert_ldm_unet_checkpoint(marks, self.config("shapes", "unet/config.json"))
        ldm = {name: names[int(mark.item())].removeprefix(UNET) for name, mark in converted.items()}
        return {ldm.get(name) or _control_name(name.split(".")): one.half() for name, one in self.edges.items()}

    def edges_as_difference(self) -> State:
        """The ControlNet less the checkpoint, where they share layers."""
        out: State = {"difference": torch.tensor(1.0).half()}
        for name, tensor in self.edges_of_lllyasviel().items():
            own = self.shapes.get(UNET + name)
            out["control_model." + name] = tensor if own is None else (tensor.float() - own.float()).half()
        return out

    def amber_of_the_hub(self) -> State:
        """The VAE in diffusers' names of before 0.17."""
        config = self.config("amber.vae", "vae/config.json")
        vae = AutoencoderKL.from_config(config)
        old = {".to_q.": ".query.", ".to_k.": ".key.", ".to_v.": ".value.", ".to_out.0.": ".proj_attn."}
        out: State = {}
        for name, tensor in convert_ldm_vae_checkpoint(self.tensors("amber.vae"), dict(vae.config)).items():
            spelled = name
            for today, before in old.items() if "attentions" in name else ():
                spelled = spelled.replace(today, before)
            out[spelled] = tensor.contiguous()
        return out


def _control_name(words: list[str]) -> str:
    last = words[-1]
    if words[0] == "controlnet_cond_embedding":
        return f"input_hint_block.{HINTS.get(words[1], 2 * (int(words[2]) + 1) if words[2].isdigit() else 0)}.{last}"
    return f"zero_convs.{words[1]}.0.{last}" if words[0] == "controlnet_down_blocks" else f"middle_block_out.0.{last}"


def tiny(family: Family) -> tuple[State, dict[str, str]]:
    """Tensors and header of a random checkpoint."""
    return family_state(family), {CONFIG_KEY: json.dumps(family_config(family))}


def controlnet_of_diffusers(config: Mapping[str, Any], **changes: Any) -> State:
    """A random ControlNet for a UNet of this configuration, but for `changes`."""
    unet = UNet2DConditionModel.from_config(dict(config))
    own = dict(ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(4, 8, 8, 8)).config) | changes
    torch.manual_seed(1)
    net = ControlNetModel(**{name: value for name, value in own.items() if not name.startswith("_")})
    return {name: (one + torch.randn_like(one) * 0.02).half().contiguous() for name, one in net.state_dict().items()}


def compact_upscaler() -> State:
    """A random upscaler of Real-ESRGAN's compact form, for two times the size."""
    with torchvision_names():
        from spandrel.architectures.Compact.__arch.SRVGG import SRVGGNetCompact
    torch.manual_seed(0)
    network = SRVGGNetCompact(num_in_ch=3, num_out_ch=3, num_feat=8, num_conv=2, upscale=2, act_type="prelu")
    state: State = network.state_dict()
    return state


def pickled(document: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(document, buffer)
    return buffer.getvalue()


def renamed(state: State, name: Callable[[str], str]) -> State:
    return {name(old): one for old, one in state.items()}


def with_header(data: bytes, **header: str) -> bytes:
    """A safetensors file with entries added to its header."""
    return bytes(save(load(data), metadata=header))
