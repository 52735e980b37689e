"""A checkpoint or VAE gives the same model in every tool's spelling of its tensors."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint
from safetensors.torch import save_file
from torch import Tensor

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.model_files.family_names import Family
from inference_container.models.checkpoint import Checkpoint
from inference_container.models.files import ModelFile
from inference_container.models.loader import load_checkpoint
from inference_container.models.vae_file import load_vae
from tests.tiny_checkpoint import CONFIG_KEY, tiny_config, tiny_state
from tests.tiny_families import family_config, family_state

State = dict[str, Tensor]
CPU = torch.device("cpu")
ALONE, FIRST, SECOND = "cond_stage_model.", "conditioner.embedders.0.", "conditioner.embedders.1."
VAE = "first_stage_model."
TODAY = ("group_norm", "to_q", "to_k", "to_v", "to_out.0")
OLD = ("group_norm", "query", "key", "value", "proj_attn")
LDM = ("norm", "q", "k", "v", "proj_out")


def prefixed(old: str, new: str) -> Callable[[State], State]:
    return lambda state: {
        new + name.removeprefix(old) if name.startswith(old) else name: one for name, one in state.items()
    }


def without_level(state: State) -> State:
    return {name.replace("transformer.text_model.", "transformer."): one for name, one in state.items()}


def wrapped(prefix: str) -> Callable[[State], State]:
    return lambda state: {prefix + name: one for name, one in state.items()}


def in_hugging_face_names(place: str) -> Callable[[State], State]:
    """The OpenCLIP encoder at `place` as transformers names it."""

    def convert(state: State) -> State:
        out: State = {}
        for name, tensor in state.items():
            out |= (
                _hugging_face(name.removeprefix(place + "model."), tensor, place)
                if name.startswith(place)
                else {name: tensor}
            )
        return out

    return convert


def _hugging_face(name: str, tensor: Tensor, place: str) -> State:
    text = f"{place}transformer.text_model."
    plain = {
        "token_embedding.weight": "embeddings.token_embedding.weight",
        "positional_embedding": "embeddings.position_embedding.weight",
        "ln_final.weight": "final_layer_norm.weight",
        "ln_final.bias": "final_layer_norm.bias",
    }
    if name in plain:
        return {text + plain[name]: tensor}
    if name == "text_projection":
        return {f"{place}transformer.text_projection.weight": tensor.T.contiguous()}
    if not name.startswith("transformer.resblocks."):
        return {}
    _, _, layer, *rest = name.split(".")
    block, last = f"{text}encoder.layers.{layer}.", ".".join(rest)
    if "in_proj_" in last:
        kind = last.rpartition("_")[2]
        return {
            f"{block}self_attn.{one}_proj.{kind}": part.clone()
            for one, part in zip("qkv", tensor.chunk(3), strict=True)
        }
    for old, new in (
        ("attn.", "self_attn."),
        ("ln_1", "layer_norm1"),
        ("ln_2", "layer_norm2"),
        ("c_fc", "fc1"),
        ("c_proj", "fc2"),
    ):
        last = last.replace(old, new)
    return {block + last: tensor}


def scaled_to_8_bits(state: State) -> State:
    """As ComfyUI's quantized files; the weights here are exact in 8 bits."""
    out: State = {"scaled_fp8": torch.empty(0, dtype=torch.float8_e4m3fn)}
    for name, tensor in state.items():
        out[name] = tensor
        if name.endswith("attn1.to_q.weight"):
            out[name] = tensor.to(torch.float8_e4m3fn)
            out[name.replace(".weight", ".scale_weight")] = torch.tensor(0.5)
    return out


def attention(parts: tuple[str, ...], *, matrices: bool, prefix: str = VAE) -> Callable[[State], State]:
    def convert(state: State) -> State:
        out: State = {}
        for name, tensor in state.items():
            place, found, rest = name.partition(".mid.attn_1.")
            if not found:
                out[prefix + name.removeprefix(VAE) if name.startswith(VAE) else name] = tensor
                continue
            part, _, kind = rest.rpartition(".")
            new = f"{prefix + place.removeprefix(VAE)}.mid.attn_1.{parts[LDM.index(part)]}.{kind}"
            out[new] = tensor[:, :, 0, 0].contiguous() if matrices and tensor.ndim == 4 else tensor
        return out

    return convert


SPELLINGS: dict[str, tuple[Family, Callable[[State], State]]] = {
    "the oldest text encoder": (Family.SD1, without_level),
    "SGM's place of the only text encoder": (Family.SD1, prefixed(ALONE, FIRST)),
    "Stable Diffusion 2.1 Turbo": (Family.SD2, prefixed(ALONE, FIRST)),
    "Stable Diffusion 2 in Hugging Face's names": (Family.SD2, in_hugging_face_names(ALONE)),
    "ComfyUI's name of the text encoder": (Family.SD1, prefixed(ALONE, f"{ALONE}clip_l.")),
    "a text encoder called by its kind": (Family.SD1, prefixed(ALONE, "text_encoders.clip_l.")),
    "XL in Hugging Face's names": (Family.SDXL, in_hugging_face_names(SECOND)),
    "the refiner in Hugging Face's names": (Family.SDXL_REFINER, in_hugging_face_names(FIRST)),
    "a module saved for several GPUs": (Family.SD1, wrapped("module.")),
    "a trainer's wrapper": (Family.SDXL, wrapped("model.")),
    "a VAE called vae": (Family.SD1, prefixed(VAE, "vae.")),
    "attention of the VAE as diffusers names it": (Family.SD1, attention(TODAY, matrices=False)),
    "attention of the VAE as matrices": (Family.SD1, attention(OLD, matrices=True)),
}


def _state(family: Family) -> State:
    return tiny_state() if family is Family.SD1 else family_state(family)


def _write(path: Path, family: Family, state: State) -> ModelFile:
    config = tiny_config() if family is Family.SD1 else family_config(family)
    save_file({name: one.contiguous() for name, one in state.items()}, path, metadata={CONFIG_KEY: json.dumps(config)})
    return ModelFile(AssetType.CHECKPOINT, path.name, path, "")


def load(path: Path, family: Family, state: State) -> Checkpoint:
    return load_checkpoint(_write(path, family, state), device=CPU, dtype=torch.float32)


def parameters(checkpoint: Checkpoint) -> State:
    modules = {"unet": checkpoint.unet, "vae": checkpoint.vae}
    modules |= {str(text.kind): text.encoder for text in checkpoint.text_models}
    return {f"{part} {name}": one for part, module in modules.items() for name, one in module.named_parameters()}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_checkpoint_is_the_same_in_every_spelling(tmp_path: Path, spelling: str) -> None:
    family, spell = SPELLINGS[spelling]
    plain = load(tmp_path / "plain.safetensors", family, _state(family))
    other = load(tmp_path / "other.safetensors", family, spell(_state(family)))

    wanted, found = parameters(plain), parameters(other)
    assert other.family is family
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_weights_in_8_bits_are_multiplied_by_their_scale(tmp_path: Path) -> None:
    plain = load(tmp_path / "plain.safetensors", Family.SD1, tiny_state())
    scaled = load(tmp_path / "scaled.safetensors", Family.SD1, scaled_to_8_bits(tiny_state()))

    name = next(name for name, _ in plain.unet.named_parameters() if name.endswith("attn1.to_q.weight"))
    expected = plain.unet.get_parameter(name).to(torch.float8_e4m3fn).float() * 0.5
    assert torch.equal(scaled.unet.get_parameter(name), expected)


def _vae_in_diffusers_layout(state: State) -> State:
    converted: State = convert_ldm_vae_checkpoint(dict(state), dict(tiny_config()["vae/config.json"]))
    return converted


def _renamed(parts: tuple[str, ...], axes: int) -> Callable[[State], State]:
    def convert(state: State) -> State:
        out: State = {}
        for name, tensor in _vae_in_diffusers_layout(state).items():
            for today, other in zip(TODAY, parts, strict=True):
                name = name.replace(f".attentions.0.{today}.", f".attentions.0.{other}.")  # noqa: PLW2901
            grown = ".attentions." in name and tensor.ndim == 2 and axes == 4
            out[name] = tensor[:, :, None, None] if grown else tensor
        return out

    return convert


VAES: dict[str, Callable[[State], State]] = {
    "LDM's": lambda state: state,
    "LDM's with diffusers' attention": attention(TODAY, matrices=False, prefix=""),
    "LDM's with diffusers' old attention": attention(OLD, matrices=True, prefix=""),
    "diffusers' of today": _renamed(TODAY, 2),
    "diffusers' of before 0.17": _renamed(OLD, 2),
    "diffusers' with convolutions": _renamed(TODAY, 4),
    "diffusers' with LDM's attention": _renamed(LDM, 4),
    "below vae.": wrapped("vae."),
    "below first_stage_model.": wrapped(VAE),
    "below module.first_stage_model.": wrapped(f"module.{VAE}"),
    "below first_stage_model., of before 0.17": lambda state: wrapped(VAE)(_renamed(OLD, 2)(state)),
}


@pytest.mark.parametrize("spelling", VAES)
def test_a_vae_is_the_same_in_every_spelling(tmp_path: Path, spelling: str) -> None:
    state = {name.removeprefix(VAE): one for name, one in tiny_state().items() if name.startswith(VAE)}
    config = tiny_config()["vae/config.json"]

    def loaded(name: str, held: State) -> State:
        path = tmp_path / name
        save_file({name: one.contiguous() for name, one in held.items()}, path)
        file = ModelFile(AssetType.VAE, name, path, "")
        return dict(load_vae(file, like=config, device=CPU, dtype=torch.float32).vae.named_parameters())

    wanted, found = loaded("a.safetensors", state), loaded("b.safetensors", VAES[spelling](state))
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)
