"""Switches the networks on a checkpoint: on for a pass, to others between passes, and off when the job is done."""

from collections import defaultdict
from collections.abc import Mapping
from functools import partial
from types import TracebackType
from typing import Self

import torch
from torch import Tensor

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.model_files.architectures import fits, misfit
from generate_on_cloud.webui.infotext.record import InfoValue
from generate_on_cloud.webui.prompt.extra_networks import NO_NETWORKS, LoraUse, NetworkPlan
from inference_container.models.checkpoint import Checkpoint
from inference_container.models.files import JobFiles, ModelFile
from inference_container.models.model_cache import ModelCache
from inference_container.models.tensor_file import incompatible
from inference_container.networks.hypernetwork import Hypernetwork, HypernetworkHooks, load_hypernetwork
from inference_container.networks.inversion_file import InversionFile, fitting_vectors, load_inversion_file
from inference_container.networks.layer_names import Layers, checkpoint_layers, is_text
from inference_container.networks.merging import MergedWeights, Share
from inference_container.networks.network_file import NetworkFile, load_network_file
from inference_container.prompt.chunks import CHUNK_LENGTH
from inference_container.prompt.encoder import TextualInversion

_OF_THE_FILE = frozenset({JobErrorCode.ASSET_CORRUPT, JobErrorCode.ASSET_INCOMPATIBLE})
EMBEDDING_HASH = 12
"""Hex digits of an embedding's SHA-256 that WebUI shows."""


class NetworkSwitch:
    """A context manager that restores the checkpoint, which jobs share, bit for bit however the block ends."""

    def __init__(self, checkpoint: Checkpoint, *, files: JobFiles, models: ModelCache) -> None:
        self._checkpoint = checkpoint
        self._files = files
        self._models = models
        self._plan = NO_NETWORKS
        self._merged = MergedWeights()
        self._hooks: HypernetworkHooks | None = None
        self._layers: Layers | None = None
        self._hashes: dict[str, str] = {}
        self._warnings: dict[str, None] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._off()

    def uses(self, plan: NetworkPlan) -> bool:
        """Whether exactly the networks of `plan` are active."""
        return plan == self._plan

    def use(self, plan: NetworkPlan) -> None:
        """Activate exactly the networks of `plan`; does nothing if they are active already.

        Raises:
            JobFailed: asset_missing, asset_corrupt or asset_incompatible; then no network is active.
        """
        if self.uses(plan):
            return
        self._off()
        try:
            self._merge(plan)
            chain = [(self._hypernetwork(use.name), use.weight) for use in plan.hypernets]
            self._hooks = HypernetworkHooks(self._checkpoint.unet, chain)
        except BaseException:
            self._off()
            raise
        self._plan = plan

    def inversions(self, *, name_bundles: bool = True) -> tuple[TextualInversion, ...]:
        """The job's embeddings and those bundled with the active networks, without those of other architectures.

        Infotexts show the name of the network after a bundled one, unless not `name_bundles`.

        WebUI skips them too: a name in a prompt can mean an embedding with one checkpoint and a word with another. And
        like WebUI it skips those that cannot be used, with a warning: a prompt's words brought them along.
        """
        found: dict[str, TextualInversion] = {}
        for file in self._files.of(AssetType.EMBEDDING):
            try:
                loaded = self._models.get(file, load_inversion_file, kind="embedding")
                _refuse_unusable(file, loaded)
            except JobFailed as failed:
                if failed.error.code not in _OF_THE_FILE:
                    raise
                self._warnings[f"{failed.error.message}; the prompt was drawn without it"] = None
                continue
            for name in (loaded.name, file.stem):
                self._offer(found, name, loaded.vectors, shown=file.sha256[:EMBEDDING_HASH])
        for use in self._plan.loras:
            for name, vectors in self._network(use.name).embeddings.items():
                self._offer(found, name, vectors, shown=use.name if name_bundles else "")
        return tuple(found.values())

    def _offer(
        self,
        found: dict[str, TextualInversion],
        name: str,
        vectors: Mapping[str, Tensor],
        *,
        shown: str,
    ) -> None:
        fitting = fitting_vectors(vectors, self._checkpoint)
        if fitting is not None:
            found.setdefault(name.casefold(), TextualInversion(name, fitting, shown))

    @property
    def warnings(self) -> tuple[str, ...]:
        """Embeddings and layers of networks that were left out so far, a sentence for each file."""
        return tuple(self._warnings)

    def infotext_extra(self) -> dict[str, InfoValue]:
        """The entries of `extra_generation_params` for the networks used so far (semantics §7)."""
        hashes = ", ".join(f"{name}: {short}" for name, short in self._hashes.items())
        return {"Lora hashes": hashes} if hashes else {}

    def _off(self) -> None:
        self._merged.restore()
        if self._hooks is not None:
            self._hooks.remove()
            self._hooks = None
        self._plan = NO_NETWORKS

    def _merge(self, plan: NetworkPlan) -> None:
        shares: dict[torch.nn.Module, list[Share]] = defaultdict(list)
        networks = {use.name: self._network(use.name) for use in plan.loras}
        for use in plan.loras:
            network = networks[use.name]
            for layer, module in self._layers_of(network).items():
                shares[module].append(_share(network, layer, use))
            self._hashes[use.name.replace(":", "").replace(",", "")] = network.hash
        misfits: dict[str, dict[str, str]] = defaultdict(dict)
        for module, parts in shares.items():
            for error in self._merged.merge(module, parts):
                misfits[error.share.network][error.share.layer] = str(error)
        for name, layers in misfits.items():
            self._leave_out(networks[name], layers, of=len(networks[name].layers.keys() & self._known_layers.keys()))

    def _layers_of(self, network: NetworkFile) -> Mapping[str, torch.nn.Module]:
        """Those of its layers that the checkpoint has; WebUI leaves the others out, too."""
        known = self._known_layers
        unknown = [layer for layer in network.layers if layer not in known]
        if unknown:
            reason = f"which lacks {len(unknown)} of its layers, such as {unknown[0]}"
            self._leave_out(network, dict.fromkeys(unknown, reason), of=len(network.layers))
        return {layer: known[layer] for layer in network.layers if layer in known}

    @property
    def _known_layers(self) -> Layers:
        if self._layers is None:
            self._layers = checkpoint_layers(self._checkpoint)
        return self._layers

    def _leave_out(self, network: NetworkFile, layers: Mapping[str, str], *, of: int) -> None:
        """Warn that these of its layers are left out, each with its reason.

        Raises:
            JobFailed: asset_incompatible, none is left of them, or it is made for another architecture.
        """
        family, reason = self._checkpoint.family, next(iter(layers.values()))
        foreign = network.architecture is not None and not fits(network.architecture, family)
        if foreign or len(layers) == of:
            raise self._misfit(network, reason)
        left = f"{len(layers)} of {of} layers of {network.file.name} do not fit {self._checkpoint.file.name}"
        self._warnings[f"{left} and were left out ({reason})"] = None

    def _misfit(self, network: NetworkFile, reason: str) -> JobFailed:
        checkpoint = self._checkpoint
        told = misfit(network.architecture, checkpoint=checkpoint.file.name, drawn_with=checkpoint.family)
        return incompatible(network.file, f"{told} ({reason})")

    def _network(self, name: str) -> NetworkFile:
        return self._models.get(self._files.named(AssetType.LORA, name), load_network_file, kind="lora")

    def _hypernetwork(self, name: str) -> Hypernetwork:
        load = partial(load_hypernetwork, device=self._checkpoint.device)
        return self._models.get(self._files.named(AssetType.HYPERNETWORK, name), load, kind="hypernetwork")


def _refuse_unusable(file: ModelFile, loaded: InversionFile) -> None:
    """Raises JobFailed, asset_incompatible: no prompt can be encoded with it."""
    if any(not 1 <= vectors.shape[0] <= CHUNK_LENGTH for vectors in loaded.vectors.values()):
        counts = ", ".join(str(vectors.shape[0]) for vectors in loaded.vectors.values())
        raise incompatible(file, f"it has {counts} vectors; allowed: 1 to {CHUNK_LENGTH}")
    if not all(bool(torch.isfinite(vectors).all()) for vectors in loaded.vectors.values()):
        raise incompatible(file, "it has numbers that are not finite")
    if not loaded.name.strip():
        raise incompatible(file, "its name has no word")


def _share(network: NetworkFile, layer: str, use: LoraUse) -> Share:
    weight = use.text_encoder_weight if is_text(layer) else use.unet_weight
    return Share(use.name, layer, network.layers[layer], weight=weight, rank=use.rank)
