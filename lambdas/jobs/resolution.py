"""Finds the model files that a request names among the uploaded assets; every error in one answer."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

from generate_on_cloud.contract.assets import AssetStatus, AssetType, ResolvedModel
from generate_on_cloud.contract.errors import FieldError, ProblemCode
from generate_on_cloud.contract.messages import AssetRef
from generate_on_cloud.contract.params import ImageParams
from generate_on_cloud.contract.suggestions import nearest
from generate_on_cloud.contract.task_params import TaskParams
from generate_on_cloud.contract.upscalers import BUILT_IN
from generate_on_cloud.model_files.architectures import fits, misfit
from generate_on_cloud.model_files.family_names import Family
from generate_on_cloud.model_files.uses import NO_VAE, TINY_VAE
from lambdas.access.caller import Caller
from lambdas.assets.record import AssetRecord, prediction_doubt, size_doubt, split_title
from lambdas.assets.store import AssetStore, Meanings, Reference, acting, closest, distance
from lambdas.field_errors import ROOT
from lambdas.jobs.needed_assets import (
    AUTOMATIC,
    CHECKPOINT_POINTER,
    MENTIONED,
    VAE_POINTER,
    Need,
    mentionable_text,
    mentioned_at,
    named_assets,
    named_checkpoint,
    newest_needed,
    tiny_vae_options,
    wants_automatic_vae,
)
from lambdas.jobs.params import check_prompt_syntax
from lambdas.jobs.style_files import StyleFiles
from lambdas.jobs.tiny_vaes import every_tiny_vae, is_tiny, use_tiny_vaes
from lambdas.problems import MAX_ERRORS, ProblemError, invalid, shortened

NAMES_SHOWN = 10
NAMES_COMPARED = 200
"""How many files a name that none has is compared with, for a suggestion."""
MAX_NAMED = 50
"""Maximum files per request: a job with more would wait hours for downloads."""
MAX_MENTIONED = 50
"""Maximum files that the words of a prompt bring along."""
_WARNINGS_SHOWN = 5
_BY_WEIGHT = (ProblemCode.INVALID_PARAMS, ProblemCode.ASSET_NOT_FOUND, ProblemCode.ASSET_NOT_ACTIVE)
"""Of several errors, the first of these gives the answer's code."""

_NO_CHECKPOINT = (
    "Choose a checkpoint: received none; allowed: an asset's id, file name or title "
    "(GET /v1/assets?type=checkpoint lists them)."
)

_OF_ONE_ARCHITECTURE = frozenset({AssetType.LORA, AssetType.CONTROLNET})


@dataclass(frozen=True)
class Resolution:
    """The files of a job."""

    checkpoint: AssetRef | None = None
    assets: tuple[AssetRef, ...] = ()
    """All others."""
    warnings: tuple[FieldError, ...] = ()
    """Files that the prompts mention and that are not used."""

    @property
    def models(self) -> tuple[ResolvedModel, ...]:
        """All of them in the format of the job's record, the checkpoint first."""
        used = [*([self.checkpoint] if self.checkpoint else []), *self.assets]
        return tuple(ResolvedModel(type=asset.type, name=asset.name, sha256=asset.sha256) for asset in used)


@dataclass
class _Findings:
    caller: Caller
    used: dict[str, tuple[AssetRecord, list[str]]] = field(default_factory=dict)
    """By asset id, in the order found: the asset and the words of the request that refer to it."""
    faults: list[tuple[ProblemCode, FieldError]] = field(default_factory=list)

    warnings: list[FieldError] = field(default_factory=list)
    available: dict[AssetType, list[str]] = field(default_factory=dict)
    """Files that messages list as available, by type."""

    def use(self, asset: AssetRecord, reference: str | None) -> None:
        _, references = self.used.setdefault(asset.asset_id, (asset, []))
        own = {asset.name.casefold(), asset.stem.casefold()}
        if reference is not None and reference.casefold() not in own and reference not in references:
            references.append(reference)

    def use_all(self, assets: Sequence[AssetRecord], reference: str | None = None) -> None:
        for asset in assets:
            self.use(asset, reference)

    def resolution(self, checkpoint: AssetRecord | None) -> Resolution:
        refs = {
            asset.asset_id: asset.ref().model_copy(update={"references": references})
            for asset, references in self.used.values()
        }
        own = refs.pop(checkpoint.asset_id) if checkpoint else None
        return Resolution(own, tuple(refs.values()), tuple(self.warnings))

    def fault(self, code: ProblemCode, pointer: str, message: str) -> None:
        self.faults.append((code, FieldError(pointer=pointer, message=message)))

    def warn(self, message: str, *, pointer: str = f"{ROOT}/prompt") -> None:
        """Note a file that is passed over or in doubt; only the first few are shown."""
        if len(self.warnings) < _WARNINGS_SHOWN:
            self.warnings.append(FieldError(pointer=pointer, message=message))

    def refuse_faults(self) -> None:
        if not self.faults:
            return
        code = min((code for code, _ in self.faults), key=_BY_WEIGHT.index)
        errors = [error for _, error in self.faults]
        if code is ProblemCode.INVALID_PARAMS:
            raise invalid(errors)
        more = f" ({len(errors) - 1} more errors are listed)" if len(errors) > 1 else ""
        detail = next(error.message for found, error in self.faults if found is code)
        raise ProblemError(code, f"{detail}{more}", errors=errors[:MAX_ERRORS])


@dataclass(frozen=True)
class Asked:
    """What a request asks for, before anything is looked up."""

    params: TaskParams
    """Including the texts of its styles."""
    findings: _Findings
    own: Sequence[Need]
    """The checkpoint, wherever it is named."""
    others: Sequence[Need]
    vaes: Sequence[Reference]
    """Possible names of the VAE that belongs to the checkpoint."""
    rough: Sequence[str] = ()
    """The options that want a tiny VAE."""

    @property
    def references(self) -> list[Reference]:
        named = [need.wanted for need in (*self.own, *self.others)]
        return list(dict.fromkeys([*named, *self.vaes, *(every_tiny_vae() if self.rough else ())]))


@dataclass(frozen=True)
class Resolver:
    assets: AssetStore
    styles: StyleFiles

    def ask(self, checkpoint_field: str | None, params: TaskParams, *, caller: Caller) -> Asked:
        """Which files a request names. With `styles`, names in the texts of the styles count too.

        No AWS call; with `styles` one, plus one for each styles file.

        Raises:
            ProblemError: `invalid_params` if it names too many files, or a style that does not exist.
        """
        findings = _Findings(caller)
        params = self._styled(params, findings)
        own, others = named_checkpoint(checkpoint_field, params), named_assets(params)
        if len(others) > MAX_NAMED:
            message = f"received {len(others)} places that name a model file; allowed: up to {MAX_NAMED}"
            raise invalid([FieldError(pointer=others[MAX_NAMED].pointer, message=message)])
        if isinstance(params, ImageParams) and not own:
            findings.fault(ProblemCode.INVALID_PARAMS, CHECKPOINT_POINTER, _NO_CHECKPOINT)
        vaes = _vaes_called_like(own[0].reference) if own and wants_automatic_vae(params) else ()
        return Asked(params, findings, own, others, vaes, tiny_vae_options(params))

    def resolve(self, asked: Asked, rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> Resolution:
        """The files that the request refers to, among those the caller may use; `rows` has the rows of their keys.

        One call if some holders of names were not among the rows, and another one if a prompt might mention files, the
        newest file of a type is needed, or a name is no file's (`AssetStore.called_otherwise`).

        Raises:
            ProblemError: `invalid_params`, `asset_not_found` or `asset_not_active`, with every error.
        """
        params, findings, own, others, vaes = asked.params, asked.findings, asked.own, asked.others, asked.vaes
        caller = findings.caller

        # 1. Named files, and the VAE that may belong to the checkpoint.
        found = self.assets.meanings(asked.references, rows, caller)
        nameless = [need.wanted for need in (*own, *others) if not found[need.wanted]]
        found = {**found, **self.assets.called_otherwise(nameless, caller)}
        named = found
        checkpoint = self._checkpoint(own, found, findings)
        self._use_named(others, found, checkpoint, findings)
        if vaes and checkpoint is not None:
            its_vae = (AssetType.VAE, f"{checkpoint.stem}.vae")
            if its_vae not in found:  # the request has the checkpoint's id, so its name only becomes known here
                found = self.assets.find([its_vae], caller)
            # Who names a checkpoint takes its owner's VAE along.
            known = frozenset({*caller.trusted, checkpoint.owner})
            its_own = [asset for asset in found[its_vae] if asset.status is AssetStatus.ACTIVE and not is_tiny(asset)]
            findings.use_all(closest(acting(its_own, replace(caller, trusted=known)), caller)[:1], AUTOMATIC)
        if asked.rough:
            use_tiny_vaes(asked.rough, named, findings, acting=lambda assets: closest(acting(assets, caller), caller))
        _check_vaes(others, findings)
        _note_doubts(params, checkpoint, findings)

        needs = newest_needed(params)
        active = {kind: acting(self.assets.active(kind, caller), caller) for kind in {need.type for need in needs}}
        for need in needs:
            newest = max(
                (
                    asset
                    for asset in active[need.type]
                    if need.fits(architecture=asset.facts.architecture, stem=asset.stem)
                ),
                key=lambda asset: (-distance(asset, caller), asset.created_at, asset.asset_id),
                default=None,
            )
            if newest is None and need.spare:
                continue
            if newest is None:
                none = f"received none, and no {need.wanted} of yours, an administrator's or a user you trust exists"
                message = f"{none}; upload one: POST /v1/assets{caller.listed_files}{need.way_out}"
                findings.fault(ProblemCode.ASSET_NOT_FOUND, need.pointer, message)
            else:
                findings.use(newest, need.reference)

        # 2. Files that the prompts may mention.
        text = mentionable_text(params)
        for asset_type in MENTIONED if text else ():
            self._use_mentioned(asset_type, text, findings)

        findings.refuse_faults()
        return findings.resolution(checkpoint)

    def _use_mentioned(self, asset_type: AssetType, text: str, findings: _Findings) -> None:
        """Use the files whose names the text has; of several with one name those closest to the caller."""
        caller = findings.caller
        named: dict[str, list[AssetRecord]] = {}
        for asset in self.assets.usable(asset_type, caller):
            if mentioned_at(asset.stem, text) is not None:
                named.setdefault(asset.stem.casefold(), []).append(asset)
        chosen: list[AssetRecord] = []
        for assets in sorted(named.values(), key=lambda some: mentioned_at(some[0].stem, text) or 0):
            active = [asset for asset in assets if asset.status is AssetStatus.ACTIVE]
            used = closest(acting(active, caller), caller)
            chosen += used
            if not used:
                findings.warn(_passed_over(assets, caller))
        if len(chosen) > MAX_MENTIONED:
            left_out = ", ".join(asset.stem for asset in chosen[MAX_MENTIONED:][:NAMES_SHOWN])
            counted = f"the prompts mention {len(chosen)} files of type {asset_type}"
            findings.warn(f"{counted}; the first {MAX_MENTIONED} are used, not {shortened(left_out)}")
        findings.use_all(chosen[:MAX_MENTIONED])

    def _styled(self, params: TaskParams, findings: _Findings) -> TaskParams:
        """The params with the texts of their styles; all styles files are noted as used, the caller's newest last."""
        if not isinstance(params, ImageParams) or not params.styles:
            return params
        caller = findings.caller
        files = sorted(
            acting(self.assets.active(AssetType.STYLES, caller), caller),
            key=lambda asset: (-distance(asset, caller), asset.created_at, asset.asset_id),
        )
        styled = self.styles.apply(params, files, allowed=caller.listed_files)
        check_prompt_syntax(styled, prefix=ROOT)
        findings.use_all(files)
        return styled

    def check_checkpoint(self, reference: str, *, caller: Caller) -> None:
        """Check a checkpoint that is named before the params arrive.

        Raises:
            ProblemError: as in `resolve`.
        """
        findings = _Findings(caller)
        need = Need(AssetType.CHECKPOINT, reference, CHECKPOINT_POINTER)
        found = self.assets.find([need.wanted], caller)
        if not found[need.wanted]:
            found = self.assets.called_otherwise([need.wanted], caller)
        self._one(need, found, findings)
        findings.refuse_faults()

    def _use_named(
        self, others: Sequence[Need], found: Meanings, checkpoint: AssetRecord | None, findings: _Findings
    ) -> None:
        for need in others:
            if (asset := self._one(need, found, findings)) is not None:
                findings.use(asset, need.reference)
                if need.type is AssetType.VAE and asset.facts.architecture == Family.TINY_VAE:
                    findings.fault(ProblemCode.INVALID_PARAMS, need.pointer, f"{asset.name} {TINY_VAE}")
                if checkpoint is not None and not _fits(asset, checkpoint):
                    told = misfit(
                        asset.facts.architecture,
                        checkpoint=checkpoint.name,
                        drawn_with=str(checkpoint.facts.architecture),
                    )
                    message = f"{asset.name} cannot be used: {told}"
                    findings.fault(ProblemCode.INVALID_PARAMS, need.pointer, message)

    def _checkpoint(self, own: Sequence[Need], found: Meanings, findings: _Findings) -> AssetRecord | None:
        """The one checkpoint that all of `own` refer to."""
        meant = [asset for need in own if (asset := self._one(need, found, findings)) is not None]
        if len({asset.asset_id for asset in meant}) > 1:
            message = (
                f"received {shortened(own[1].reference)!r} here and {shortened(own[0].reference)!r} in "
                f"{own[0].pointer}; allowed: the same checkpoint, or only one of the two"
            )
            findings.fault(ProblemCode.INVALID_PARAMS, own[1].pointer, message)
        for asset, need in zip(meant, own, strict=False):
            findings.use(asset, need.reference)
        return meant[0] if meant else None

    def _one(self, need: Need, found: Meanings, findings: _Findings) -> AssetRecord | None:
        """The active asset that is referred to; None, with the error noted, if there is none."""
        candidates = closest(found[need.wanted], findings.caller)
        if len(candidates) == 1 and candidates[0].status is AssetStatus.ACTIVE:
            if not candidates[0].is_named_by(need.wanted[1]):
                received = f"received {shortened(need.reference)!r}, a part of the name of {candidates[0].name}"
                findings.warn(f"{received}, which is used, as in WebUI", pointer=need.pointer)
            return candidates[0]
        said = shortened(need.reference)
        if len(candidates) > 1:
            names = ", ".join(sorted(asset.name for asset in candidates)[:NAMES_SHOWN])
            message = f"received {said!r}, which matches several assets: {names}; allowed: the full file name"
            findings.fault(ProblemCode.INVALID_PARAMS, need.pointer, message)
        elif not candidates:
            called = f" (the file {need.file!r})" if need.file else ""
            available = self._available(need, findings)
            message = f"received {said!r}{called}; no such {need.type} exists{available}"
            findings.fault(ProblemCode.ASSET_NOT_FOUND, need.pointer, message)
        else:
            (asset,) = candidates
            reason = f": {asset.error}" if asset.error else ""
            message = f"{asset.name} is {asset.status}{reason}; allowed: an active {need.type}"
            findings.fault(ProblemCode.ASSET_NOT_ACTIVE, need.pointer, message)
        return None

    def _available(self, need: Need, findings: _Findings) -> str:
        if need.type not in findings.available:
            findings.available[need.type] = self.assets.some_names(need.type, findings.caller, limit=NAMES_COMPARED)
        names = findings.available[need.type]
        none = f"no {need.type} is uploaded yet" if findings.caller.assets is None else f"no {need.type} is yours"
        told = f"available: {', '.join(names[:NAMES_SHOWN])}" if names else none
        built_in = BUILT_IN if need.type is AssetType.UPSCALER else ()
        return f"{nearest(need.reference, (*_with_stems(names), *built_in))}; {told}{findings.caller.listed_files}"


def _with_stems(names: Iterable[str]) -> Iterator[str]:
    """The names without their extensions, and with them."""
    for name in names:
        yield PurePosixPath(name).stem
        yield name


def _passed_over(assets: Sequence[AssetRecord], caller: Caller) -> str:
    """Why none of these files that a prompt mentions is used."""
    asset = closest(assets, caller)[0]
    if acting([asset], caller):
        return f"{asset.name} is {asset.status} and was passed over"
    return (
        f"{asset.name} of the user {asset.owner!r} is not used: list {asset.owner!r} in `trusted` (PATCH /v1/me) if it "
        "should be"
    )


def _fits(asset: AssetRecord, checkpoint: AssetRecord) -> bool:
    """Whether a network can be used with a checkpoint, as far as inspection knows both."""
    made_for, drawn_with = asset.facts.architecture, checkpoint.facts.architecture
    if asset.type not in _OF_ONE_ARCHITECTURE or made_for is None or drawn_with is None:
        return True
    return fits(made_for, drawn_with)


def _check_vaes(others: Sequence[Need], findings: _Findings) -> None:
    """Note every checkpoint that lacks a VAE, unless the request brings one."""
    used = [asset for asset, _ in findings.used.values()]
    if any(need.type is AssetType.VAE for need in others) or any(asset.type is AssetType.VAE for asset in used):
        return
    for asset in used:
        if asset.facts.lacks_vae:
            findings.fault(ProblemCode.INVALID_PARAMS, VAE_POINTER, f"{asset.name} cannot be used: {NO_VAE}")


def _note_doubts(params: TaskParams, checkpoint: AssetRecord | None, findings: _Findings) -> None:
    """Warn of a checkpoint that may predict something else than it says, and of a size that it did not learn."""
    for asset, _ in findings.used.values():
        if (doubt := prediction_doubt(asset)) is not None:
            findings.warn(doubt, pointer=CHECKPOINT_POINTER)
    if checkpoint is not None and isinstance(params, ImageParams):
        too_large = size_doubt(checkpoint, width=params.width, height=params.height)
        if too_large is not None:
            findings.warn(too_large, pointer=f"{ROOT}/width")


def _vaes_called_like(checkpoint: str) -> tuple[tuple[AssetType, str], ...]:
    """References to the VAE that belongs to a checkpoint, named with or without its extension."""
    name, _ = split_title(checkpoint)
    return tuple((AssetType.VAE, f"{stem}.vae") for stem in (PurePosixPath(name).stem, name) if stem)
