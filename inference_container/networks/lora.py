"""LoRA and LoCon: ΔW = up · down, with a core tensor `mid` between them in LoCon's Tucker form."""

import torch

from inference_container.networks.layer import AppliedLayer, Change, matrix


def change(layer: AppliedLayer) -> Change:
    """Compute ΔW from the first `rank` ranks; as in WebUI, the scale stays that of the full rank."""
    up, down, mid = matrix(layer["lora_up.weight"]), layer["lora_down.weight"], layer.get("lora_mid.weight")
    own_rank = int(down.shape[0])
    if mid is not None:
        core = torch.einsum("nmkl,in,mj->ijkl", mid, up, matrix(down))
        return Change(core, rank=own_rank)
    return Change(None, rank=own_rank, factors=(up[:, : layer.rank], matrix(down)[: layer.rank]))
