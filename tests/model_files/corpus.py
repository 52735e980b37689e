"""Model files of every type, sound, wrong and hostile, for the two programs that judge them."""

import io
import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.model_files.family_names import Family
from tests.harmful_onnx import HARMFUL
from tests.model_files.archive_rows import ARCHIVES
from tests.model_files.unusable import UNUSABLE
from tests.models import hostile_files
from tests.models.hostile_files import saved
from tests.networks.network_files import CONVOLUTION_KINDS, KINDS, lora, numbers
from tests.tiny_annotators import FILES as PREPROCESSOR_STATES
from tests.tiny_annotators import ONNX_FILES
from tests.tiny_checkpoint import tiny_state, write_tiny_checkpoint
from tests.tiny_controlnet import tiny_controlnet_state, write_tiny_controlnet
from tests.tiny_faces import tiny_detector, tiny_generator, tiny_parser
from tests.tiny_families import RECIPES, write_family
from tests.tiny_interrogation import (
    write_deepdanbooru,
    write_interrogator_file,
    write_interrogator_zip,
    write_wd_zip,
)
from tests.tiny_upscaler import tiny_upscaler_state, write_tiny_upscaler
from tests.tiny_vae import as_diffusers, tiny_decoder, tiny_encoder

ATTENTION = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
VECTORS = {"string_to_token": {"*": 265}, "name": "x", "step": 7, "sd_checkpoint": None}
FLUX = {"lora_unet_double_blocks_0_img_attn_qkv": (9216, 3072)}
SD3 = {"lora_unet_joint_blocks_0_x_block_attn_qkv": (4608, 1536)}


@dataclass(frozen=True)
class Row:
    """A file, and a pattern of the words that refuse it; None: it is taken."""

    type: AssetType
    name: str
    write: Callable[[Path], object]
    refused: str | None = None


def _bytes(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


def _tensors(state: Mapping[str, Tensor], metadata: dict[str, str] | None = None) -> Callable[[Path], object]:
    plain = {name: tensor.contiguous() for name, tensor in state.items()}
    return _bytes(save(plain, metadata=metadata))


def network(layers: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    return {f"{layer}.{part}": tensor for layer, parts in layers.items() for part, tensor in parts.items()}


def loras(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    return network({layer: lora(torch.Size(shape)) for layer, shape in shapes.items()})


def _zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def _perceptrons(width: int) -> dict[str, Tensor]:
    return {
        "linear.0.weight": numbers(2 * width, width),
        "linear.0.bias": numbers(2 * width),
        "linear.1.weight": numbers(width, 2 * width),
        "linear.1.bias": numbers(width),
    }


def _vae(prefix: str) -> dict[str, Tensor]:
    ldm = "first_stage_model."
    return {prefix + name.removeprefix(ldm): one for name, one in tiny_state().items() if name.startswith(ldm)}


def _sound() -> dict[str, Row]:
    checkpoint, vae, network_type, embedding, hypernetwork, controlnet, interrogator, tagger, upscaler = (
        AssetType.CHECKPOINT, AssetType.VAE, AssetType.LORA, AssetType.EMBEDDING, AssetType.HYPERNETWORK,
        AssetType.CONTROLNET, AssetType.INTERROGATOR, AssetType.TAGGER, AssetType.UPSCALER,
    )  # fmt: skip
    faces, preprocessor = AssetType.FACE_RESTORATION, AssetType.PREPROCESSOR
    stored = {**VECTORS, "string_to_param": {"*": numbers(2, 768)}}
    months = {**VECTORS, "string_to_param": torch.nn.ParameterDict({"*": torch.nn.Parameter(numbers(2, 768))})}
    pair = {"clip_l": numbers(3, 768), "clip_g": numbers(3, 1280)}
    rows = {
        "the tiny checkpoint": Row(checkpoint, "a.safetensors", write_tiny_checkpoint),
        "a VAE": Row(vae, "a.safetensors", _tensors(_vae(""))),
        "a VAE with LDM's prefix": Row(vae, "a.ckpt", _bytes(saved({"state_dict": _vae("first_stage_model.")}))),
        "a VAE with another prefix": Row(vae, "a.safetensors", _tensors(_vae("vae."))),
        "an embedding of WebUI's": Row(embedding, "a.pt", _bytes(saved(stored))),
        "an old embedding of WebUI's": Row(embedding, "a.pt", _bytes(saved(stored, zipped=False))),
        "an embedding of the first months": Row(embedding, "a.pt", _bytes(saved(months))),
        "an embedding of diffusers'": Row(embedding, "a.bin", _bytes(saved({"<cat>": numbers(768)}))),
        "an embedding alone": Row(embedding, "a.safetensors", _tensors({"emb_params": numbers(4, 1024)})),
        "an embedding for two encoders": Row(embedding, "a.safetensors", _tensors(pair)),
        "a hypernetwork": Row(
            hypernetwork, "a.pt", _bytes(saved({16: (_perceptrons(16), _perceptrons(16)), "step": 3}))
        ),
        "a ControlNet": Row(controlnet, "a.safetensors", write_tiny_controlnet),
        "a bare ControlNet": Row(controlnet, "a.pth", lambda path: write_tiny_controlnet(path, prefix="")),
        "a tiny VAE": Row(vae, "a.pth", _bytes(saved(tiny_decoder()))),
        "a tiny VAE of diffusers": Row(vae, "a.safetensors", _tensors(as_diffusers(tiny_encoder(), tiny_decoder()))),
        "a face detector": Row(
            faces, "a.pth", _bytes(saved({f"module.{name}": one for name, one in tiny_detector().items()}))
        ),
        "a face parser": Row(faces, "a.safetensors", _tensors(tiny_parser())),
        "GFPGAN": Row(faces, "a.pth", _bytes(saved({"params_ema": tiny_generator()}))),
        **{
            f"the preprocessor's file {name}": Row(preprocessor, name, _bytes(saved(state())))
            for name, state in PREPROCESSOR_STATES.items()
        },
        **{
            f"the preprocessor's file {name}": Row(preprocessor, name, _bytes(made()))
            for name, made in ONNX_FILES.items()
        },
        "an upscaler": Row(upscaler, "a.pth", write_tiny_upscaler),
        "an upscaler with its habits": Row(upscaler, "a.pth", _bytes(saved({"params-ema": tiny_upscaler_state()}))),
        "an interrogator": Row(interrogator, "a.safetensors", write_interrogator_file),
        "a zipped interrogator": Row(interrogator, "a.zip", write_interrogator_zip),
        "a tagger": Row(tagger, "a.pt", write_deepdanbooru),
        "a zipped tagger": Row(tagger, "a.zip", write_wd_zip),
        "a network in a pickle": Row(network_type, "a.pt", _bytes(saved(loras({ATTENTION: (8, 768)})))),
        "a network with an embedding of OneTrainer's": Row(
            network_type,
            "a.safetensors",
            _tensors({**loras({ATTENTION: (8, 768)}), "bundle_emb.cat.clip_l": numbers(2, 768)}),
        ),
        "a network with its alpha in the header": Row(
            network_type,
            "a.safetensors",
            _tensors(
                {"unet.conv_in.lora_A.weight": numbers(2, 4, 1, 1), "unet.conv_in.lora_B.weight": numbers(8, 2, 1, 1)},
                {"lora_adapter_metadata": '{"unet.lora_alpha": 8}'},
            ),
        ),
        "a network with an embedding": Row(
            network_type,
            "a.safetensors",
            _tensors({**loras({ATTENTION: (8, 768)}), "bundle_emb.cat.string_to_param.*": numbers(2, 768)}),
        ),
        # Its name and that of a text encoder contradict its trainer: the layers decide.
        "text encoder 2, labelled as SD 1": Row(
            network_type,
            "a.safetensors",
            _tensors(loras({"lora_te2_text_model_x_mlp_fc1": (8, 1280)}), {"ss_base_model_version": "sd_v1"}),
        ),
        "a network for the refiner": Row(network_type, "a.safetensors", _tensors(loras({ATTENTION: (8, 1280)}))),
    }
    rows |= {
        f"a checkpoint: {family.value}": Row(checkpoint, "a.safetensors", partial(write_family, family=family))
        for family in RECIPES
    }
    linear, convolution = torch.Size((16, 32)), torch.Size((16, 16, 3, 3))
    rows |= {
        f"a network: {kind}": Row(network_type, "a.safetensors", _tensors(network({ATTENTION: make(shape).parts})))
        for kinds, shape in ((KINDS, linear), (CONVOLUTION_KINDS, convolution))
        for kind, make in kinds.items()
    }
    return rows


def _wrong() -> dict[str, Row]:
    state, control = tiny_state(), tiny_controlnet_state()
    unknown = {f"{ATTENTION}.new_thing_a": numbers(2, 2), f"{ATTENTION}.new_thing_b": numbers(2, 2)}
    of_type = {
        AssetType.CHECKPOINT: ("it holds a LoRA, not a checkpoint", loras({ATTENTION: (8, 768)})),
        AssetType.VAE: ("it holds a LoRA network, not a VAE", loras({ATTENTION: (8, 768)})),
        AssetType.LORA: ("it holds Stable Diffusion 1.x, not a LoRA", state),
        AssetType.EMBEDDING: ("it holds Stable Diffusion 1.x, not a textual inversion", state),
        AssetType.CONTROLNET: ("it holds Stable Diffusion 1.x, not a ControlNet", state),
        AssetType.UPSCALER: ("it holds Stable Diffusion 1.x", state),
        AssetType.TAGGER: ("it holds a ControlNet", {f"control_model.{name}": one for name, one in control.items()}),
        AssetType.INTERROGATOR: ("it holds Stable Diffusion 1.x", state),
    }
    rows = {
        f"another thing as {kind}": Row(kind, "a.safetensors", _tensors(held), words)
        for kind, (words, held) in of_type.items()
    }
    lora_rows: dict[str, tuple[str, dict[str, Tensor]]] = {
        "a network for Flux": ("it is made for Flux; allowed: one for", loras(FLUX)),
        "a network for Stable Diffusion 3": ("it is made for Stable Diffusion 3; allowed: one for", loras(SD3)),
        "a new kind of network": ("has new_thing_a, new_thing_b, which no network has; allowed: LoRA, LoHa", unknown),
        "half a LoRA": ("has lora_up.weight, which no network", {f"{ATTENTION}.lora_up.weight": numbers(2, 2)}),
        "no tensor": ("it holds no network", {}),
        "layers of no model": (
            "its layers, such as 'decoder.one', are of no model here; allowed: names of kohya's",
            {"decoder.one.lora_down.weight": numbers(2, 4), "decoder.one.lora_up.weight": numbers(4, 2)},
        ),
        "two alphas": ("the alpha of its layer", {f"{ATTENTION}.diff": numbers(2), f"{ATTENTION}.alpha": numbers(2)}),
        "a bundle of nothing": ("is not of an embedding; allowed", {"bundle_emb.cat": numbers(2, 2)}),
        "a bundle for T5": ("vectors for a T5 text encoder", {"bundle_emb.cat.t5": numbers(2, 2)}),
        "OneTrainer's OFT": (
            "are an OFT of PEFT's or OneTrainer's form",
            {f"{ATTENTION}.oft_R.weight": numbers(6, 120)},
        ),
        "a bundle without an axis": ("has the shapes [[1, 2, 2]]", {"bundle_emb.cat.clip_l": numbers(1, 2, 2)}),
    }
    rows |= {
        name: Row(AssetType.LORA, "a.safetensors", _tensors(held), words) for name, (words, held) in lora_rows.items()
    }
    pickled: dict[str, tuple[AssetType, str, object]] = {
        "two tensors": (AssetType.EMBEDDING, "it holds 2 tensors (a, b)", {"a": numbers(2, 4), "b": numbers(2, 4)}),
        "a cube of vectors": (AssetType.EMBEDDING, "has the shapes [[2, 3, 4]]", {"a": numbers(2, 3, 4)}),
        "76 vectors": (AssetType.EMBEDDING, "has 76 vectors; allowed: 1 to 75", {"a": numbers(76, 4)}),
        "no table of vectors": (AssetType.EMBEDDING, "its string_to_param is a int", {"string_to_param": 5}),
        "a list": (AssetType.HYPERNETWORK, "it holds a list, not a dictionary of tensors", [1]),
        "no widths": (AssetType.HYPERNETWORK, "it holds no hypernetwork", {"step": 3}),
        "a VAE of numbers": (AssetType.VAE, "it holds no model this version knows, not a VAE", {"step": 3}),
        "an upscaler of numbers": (AssetType.UPSCALER, "it holds no named tensor", {"step": 3}),
    }
    rows |= {
        name: Row(kind, "a.pt", _bytes(saved(document)), words) for name, (kind, words, document) in pickled.items()
    }
    others: dict[str, tuple[str, ...]] = {
        "it is a Control-LoRA": ("lora_controlnet",),
        "it is a ControlNet union": ("task_embedding", "control_add_embedding.linear_1.weight"),
        "it is a ControlNet for a diffusion transformer": ("controlnet_blocks.0.weight",),
        "it is a T2I-Adapter": ("body.0.block1.weight", "adapter.body.0.resnets.0.block1.weight"),
        "it is an IP-Adapter": ("ip_adapter.1.to_k_ip.weight", "image_proj.proj.weight"),
        "it is a ControlNet-LLLite": ("lllite_unet_input_blocks_1_1_proj_in.down.0.weight",),
    }
    rows |= {
        f"{words} ({sign})": Row(AssetType.CONTROLNET, "a.safetensors", _tensors({**held, sign: numbers(1)}), words)
        for words, signs in others.items()
        for sign in signs
        for held in ({} if "Adapter" in words or "LLLite" in words else control,)
    }
    nested = {"image_proj": {"proj.weight": numbers(2, 2)}, "ip_adapter": {"1.to_k_ip.weight": numbers(2, 2)}}
    rows["an IP-Adapter in a pickle"] = Row(AssetType.CONTROLNET, "a.bin", _bytes(saved(nested)), "it is an IP-Adapter")
    for other in (AssetType.LORA, AssetType.EMBEDDING, AssetType.VAE):
        rows[f"an IP-Adapter as {other}"] = Row(
            other, "a.safetensors", _tensors({"ip_adapter.1.to_k_ip.weight": numbers(2, 2)}), "it holds an IP-Adapter"
        )
    for sign in ("decoder.layers.1.weight", "encoder.layers.3.conv.0.weight", "taesd_decoder.layers.1.bias"):
        tiny = {sign: numbers(1), "decoder.layers.0.bias": numbers(4), "encoder.layers.0.bias": numbers(4)}
        rows[f"a checkpoint with {sign}"] = Row(
            AssetType.CHECKPOINT, "a.safetensors", _tensors(tiny), "it holds a tiny VAE (TAESD)"
        )
    for name, shape in (("1.weight", (64, 16)), ("decoder.1.weight", (64, 16)), ("encoder.layers.14.weight", (16, 64))):
        tiny = {name: numbers(*shape, 3, 3), "3.conv.0.weight": numbers(64, 64, 3, 3)}
        rows[f"a tiny VAE of Flux by {name}"] = Row(
            AssetType.VAE, "a.safetensors", _tensors(tiny), "it holds a tiny VAE with 16 latent channels"
        )
    for sign, words in (
        ("stylegan_decoder.style_mlp.1.weight", "it holds GFPGAN"),
        ("params_ema.stylegan_decoder.style_mlp.1.weight", "it holds GFPGAN"),
        ("module.LandmarkHead.0.conv1x1.weight", "it holds a face detector (RetinaFace on ResNet-50)"),
        ("out_mask_conv.conv2d.weight", "it holds a face parser (ParseNet)"),
        ("fuse_convs_dict.32.scale.0.weight", "it holds CodeFormer"),
        ("generator.model.1.bn_l.running_mean", "it holds LaMa, which fills holes"),
        ("model.model.1.bn_l.running_mean", "it holds LaMa, which fills holes"),
    ):
        held = {sign: numbers(1), "conv_first.weight": numbers(8, 3, 3, 3)}
        rows[f"an upscaler with {sign}"] = Row(AssetType.UPSCALER, "a.safetensors", _tensors(held), words)
        rows[f"a pickled upscaler with {sign}"] = Row(
            AssetType.UPSCALER, "a.pth", _bytes(saved({"params_ema": held})), words
        )
    whole = as_diffusers(tiny_encoder(), tiny_decoder())
    rows["a cut tiny VAE"] = Row(
        AssetType.VAE,
        "a.pth",
        _bytes(saved(dict(list(tiny_decoder().items())[:-2]))),
        "its decoder lacks 18.bias and 1 more",
    )
    rows["a tiny VAE with a layer too many"] = Row(
        AssetType.VAE,
        "a.safetensors",
        _tensors({**whole, "encoder.layers.15.weight": numbers(1)}),
        "its encoder has encoder.layers.15.weight, which no tiny VAE has",
    )
    rows["a VAE for videos"] = Row(
        AssetType.VAE,
        "a.safetensors",
        _tensors({"encoder.conv1.weight": numbers(96, 3, 3, 3, 3), "decoder.conv1.weight": numbers(96, 16, 3, 3, 3)}),
        "it holds a VAE without decoder.conv_in.weight, of another model",
    )
    for sign, words in (
        ("conv_body_first.0.weight", "it holds a face restoration model that this version does not run"),
        ("module.body.stage1.0.0.weight", "it holds a face detector other than RetinaFace on ResNet-50"),
        ("conv_first.weight", "it holds no network that restores, finds or outlines faces; allowed: a face detector"),
    ):
        gan = {sign: numbers(1), "stylegan_decoder.style_mlp.1.weight": numbers(1)}
        held = gan if sign.startswith("conv_body") else {sign: numbers(1), "ClassHead.0.conv1x1.weight": numbers(1)}
        rows[f"a face restorer with {sign}"] = Row(AssetType.FACE_RESTORATION, "a.pth", _bytes(saved(held)), words)
    for sign, words in (
        ("conv_first.weight", "it holds no network of a preprocessor; allowed: Depth Anything, "),
        ("stylegan_decoder.style_mlp.1.weight", "it holds GFPGAN; allowed: Depth Anything"),
        ("Mconv7_stage6.weight", "it holds a network of OpenPose for hands or faces; allowed: Depth Anything"),
    ):
        held = {sign: numbers(8, 3, 3, 3)}
        rows[f"a preprocessor with {sign}"] = Row(AssetType.PREPROCESSOR, "a.pth", _bytes(saved(held)), words)
    for what, network, words in HARMFUL:
        rows[f"a preprocessor {what}"] = Row(AssetType.PREPROCESSOR, "a.onnx", _bytes(network), words)
    for sign, words in (
        ("depth_head.scratch.output_conv2.0.weight", "it holds Depth Anything"),
        ("pretrained.model.patch_embed.backbone.stem.conv.weight", "it holds MiDaS (DPT-Hybrid)"),
        ("Mconv7_stage6_L2.weight", "it holds OpenPose's network of the body"),
        ("Mconv7_stage6.weight", "it holds a network of OpenPose for hands or faces"),
        ("block23.conv3.weight", "it holds M-LSD, which finds straight lines"),
        ("block5.projection.weight", "it holds HED, which finds soft edges"),
        ("model2.0.conv_block.1.weight", "it holds a network that makes line drawings"),
        ("model.model.1.model.3.model.3.model.3.model.5.weight", f"it holds {Family.ANIME_LINES}"),
        ("module.block4_4.conv1.weight", "it holds PiDiNet, which finds soft edges"),
    ):
        for other in (AssetType.UPSCALER, AssetType.CHECKPOINT, AssetType.CONTROLNET):
            rows[f"{other} with {sign}"] = Row(other, "a.safetensors", _tensors({sign: numbers(1)}), words)
    rows["an archive that leads out"] = Row(
        AssetType.INTERROGATOR, "a.zip", _bytes(_zipped(**{"../x": b""})), "'../x' lies outside the archive's folder"
    )
    rows["an archive that grows"] = Row(
        AssetType.TAGGER, "a.zip", _bytes(_zipped(a=bytes(5_000_000))), "it unpacks to 5000000 bytes; allowed: "
    )
    rows["a cut archive"] = Row(AssetType.TAGGER, "a.zip", _bytes(_zipped(a=b"a")[:-5]), "it is not a complete zip")
    return {name: replace(row, refused=re.escape(row.refused or "")) for name, row in rows.items()}


def _hostile() -> dict[str, Row]:
    """Hostile whatever type its owner says it is."""
    return {
        f"{what} as {kind}": Row(kind, f"a.{ending}", _bytes(data), reason)
        for what, ending, data, _, reason in hostile_files.CORPUS
        for kind in (AssetType.CHECKPOINT, AssetType.LORA)
    }


def _unusable() -> dict[str, Row]:
    return {
        what: Row(kind, f"a.{ending}", _bytes(data), None if words is None else re.escape(words))
        for what, (kind, ending, data, words) in UNUSABLE.items()
    }


def _archives() -> dict[str, Row]:
    return {what: Row(kind, "a.zip", _bytes(data), re.escape(words)) for what, (kind, data, words) in ARCHIVES.items()}


ROWS: Mapping[str, Row] = {**_archives(), **_unusable(), **_sound(), **_wrong(), **_hostile()}
