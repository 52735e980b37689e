"""Which model files a request names: one row for each place where its params may name one."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.controlnet import CONTROLNET
from generate_on_cloud.contract.errors import reference_token
from generate_on_cloud.contract.params import ImageParams, Txt2ImgParams
from generate_on_cloud.contract.preprocessors import PREPROCESSORS, preprocessor_named
from generate_on_cloud.contract.selectable_scripts import Loopback, SdUpscale
from generate_on_cloud.contract.single_image_params import (
    ExtrasParams,
    InterrogateClipParams,
    InterrogateDeepbooruParams,
)
from generate_on_cloud.contract.task_params import TaskParams
from generate_on_cloud.contract.upscalers import upscaler_file
from generate_on_cloud.model_files.face_files import face_parts
from generate_on_cloud.model_files.family_names import Family
from generate_on_cloud.model_files.preprocessor_files import PREPROCESSOR_FILES
from generate_on_cloud.model_files.tiny_vaes import METHOD, PART_OF_OPTION
from generate_on_cloud.webui.prompt.extra_networks import HYPERNET_KIND, LORA_KINDS, extract_tags, strip_comments
from lambdas.field_errors import ROOT

CHECKPOINT_POINTER = "/checkpoint"
OPTION_POINTER = f"{ROOT}/override_settings/sd_model_checkpoint"
SCRIPT_POINTER = f"{ROOT}/script_args"
VAE_POINTER = f"{ROOT}/override_settings/sd_vae"
_WAYS_OUT: Mapping[Family, str] = {
    Family.CODEFORMER: (
        " (its licence forbids commercial use: a deployment takes it with the option noncommercial_models), or "
        'restore with GFPGAN: "face_restoration_model": "GFPGAN" in override_settings, gfpgan_visibility in Extras'
    )
}
AUTOMATIC = "Automatic"
"""WebUI's `sd_vae` for: the VAE named like the checkpoint, if there is one."""


@dataclass(frozen=True)
class Need:
    """A place in the request that names a required file."""

    type: AssetType
    reference: str
    """As the request has it: asset id, file name, stem, or WebUI's title `name [hash]`."""
    pointer: str
    file: str | None = None
    """The file's name, if the request uses WebUI's own name for it."""

    @property
    def wanted(self) -> tuple[AssetType, str]:
        """What to look up."""
        return self.type, self.file or self.reference


def _need(row: "FieldRow | OptionRow | UnitRow | ScriptRow", name: object, place: str) -> Iterator[Need]:
    if isinstance(name, str) and (file := row.file(name)):
        yield Need(row.type, name, f"{ROOT}/{place}", file if file != name else None)


def _file(name: str) -> str | None:
    return None if name.strip().casefold() in ("", "none") else name


def _vae_file(name: str) -> str | None:
    return None if name == AUTOMATIC else _file(name)


@dataclass(frozen=True)
class FieldRow:
    """A field of the params that contains a name."""

    type: AssetType
    field: str
    file: Callable[[str], str | None] = _file
    """The file name that a value means; None if it needs no file."""
    applies: Callable[[ImageParams], bool] = lambda _: True

    def needs(self, params: TaskParams) -> Iterator[Need]:
        name = getattr(params, self.field, None)
        unused = isinstance(params, ImageParams) and not self.applies(params)
        if not unused:
            yield from _need(self, name, self.field)


@dataclass(frozen=True)
class OptionRow:
    """An entry of `override_settings` that contains a name."""

    type: AssetType
    option: str
    file: Callable[[str], str | None] = _file

    def needs(self, params: TaskParams) -> Iterator[Need]:
        if isinstance(params, ImageParams) and self.option in params.override_settings:
            yield from _need(self, getattr(params.options, self.option), f"override_settings/{self.option}")


@dataclass(frozen=True)
class TagRow:
    """Tags in the positive prompts, `<KIND:name:…>`."""

    type: AssetType
    kinds: frozenset[str]

    def needs(self, params: TaskParams) -> Iterator[Need]:
        if not isinstance(params, ImageParams) or params.disable_extra_networks:
            return
        for field, positive, _ in prompts_of(params):
            for tag in extract_tags(positive).tags:
                if tag.kind in self.kinds:
                    yield Need(self.type, tag.name, f"{ROOT}/{field}")


@dataclass(frozen=True)
class UnitRow:
    """Units of an always-on script, each an object with the name in `field`."""

    type: AssetType
    script: str
    field: str
    file: Callable[[str], str | None] = _file

    def needs(self, params: TaskParams) -> Iterator[Need]:
        if not isinstance(params, ImageParams):
            return
        for place, unit in _units(params, self.script):
            yield from _need(self, unit.get(self.field), f"{place}/{self.field}".removeprefix(f"{ROOT}/"))


@dataclass(frozen=True)
class ScriptRow:
    """An argument of a selectable script that contains a name."""

    kind: Any
    """The dataclass of the script's arguments."""
    type: AssetType
    field: str
    place: int
    """Of the argument in `script_args`."""
    file: Callable[[str], str | None] = _file

    def needs(self, params: TaskParams) -> Iterator[Need]:
        script = params.selected_script() if isinstance(params, ImageParams) else None
        if isinstance(script, self.kind):
            yield from _need(self, getattr(script, self.field), f"script_args/{self.place}")


def _second_pass(params: ImageParams) -> bool:
    return isinstance(params, Txt2ImgParams) and params.enable_hr


NAMED: tuple[FieldRow | OptionRow | TagRow | UnitRow | ScriptRow, ...] = (
    OptionRow(AssetType.VAE, "sd_vae", _vae_file),
    FieldRow(AssetType.CHECKPOINT, "refiner_checkpoint"),
    FieldRow(AssetType.CHECKPOINT, "hr_checkpoint_name", applies=_second_pass),
    TagRow(AssetType.LORA, LORA_KINDS),
    TagRow(AssetType.HYPERNETWORK, frozenset({HYPERNET_KIND})),
    OptionRow(AssetType.LORA, "sd_lora"),
    OptionRow(AssetType.HYPERNETWORK, "sd_hypernetwork"),
    UnitRow(AssetType.CONTROLNET, CONTROLNET, "model"),
    FieldRow(AssetType.UPSCALER, "hr_upscaler", upscaler_file, applies=_second_pass),
    OptionRow(AssetType.UPSCALER, "upscaler_for_img2img", upscaler_file),
    ScriptRow(SdUpscale, AssetType.UPSCALER, "upscaler", 2, upscaler_file),
    FieldRow(AssetType.UPSCALER, "upscaler_1", upscaler_file),
    FieldRow(AssetType.UPSCALER, "upscaler_2", upscaler_file),
    FieldRow(AssetType.INTERROGATOR, "interrogator"),
    FieldRow(AssetType.TAGGER, "tagger"),
)
"""Required files; adding one takes one line."""

NEWEST: tuple[tuple[type[TaskParams], str, AssetType], ...] = (
    (InterrogateClipParams, "interrogator", AssetType.INTERROGATOR),
    (InterrogateDeepbooruParams, "tagger", AssetType.TAGGER),
)
"""Tasks that need a file and use the newest of its type if the field that could name one is empty."""

INTERROGATING: Mapping[str, AssetType] = MappingProxyType(
    {"CLIP": AssetType.INTERROGATOR, "DeepBooru": AssetType.TAGGER}
)
"""What Loopback's `append_interrogation` needs, which no request can name."""

MENTIONED: tuple[AssetType, ...] = (AssetType.EMBEDDING,)
"""Types whose files are used if a prompt has their name as whole words; the container, which matches tokens, picks what
it needs from these."""


def named_assets(params: TaskParams) -> list[Need]:
    """Every file that the params name except the job's checkpoint, each place once."""
    own = [need for row in NAMED for need in row.needs(params)]
    variants = params.variants() if isinstance(params, ImageParams) else ()
    return list(dict.fromkeys([*own, *_named_by_script(variants, known=own)]))


def _named_by_script(variants: Iterable[ImageParams], *, known: Iterable[Need]) -> Iterator[Need]:
    """The further files that the drawings of a script name, each once."""
    told = {need.wanted for need in known}
    for variant in variants:
        for row in (*NAMED, OptionRow(AssetType.CHECKPOINT, "sd_model_checkpoint")):
            for need in row.needs(variant):
                if need.wanted not in told:
                    told.add(need.wanted)
                    yield replace(need, pointer=SCRIPT_POINTER)


@dataclass(frozen=True)
class NewestNeed:
    """A type of which the newest file is needed."""

    type: AssetType
    pointer: str
    """Where the request could have named one, or asks for what needs it."""
    architecture: str | None = None
    """What it must hold, for types of several kinds."""
    file: str | None = None
    """The usual name of such a file, for types whose files differ by their names too."""
    way_out: str = ""
    """What else a caller without the file can do."""
    spare: bool = False
    """Whether the job may turn out not to need it, so that nothing is wrong if there is none."""

    @property
    def reference(self) -> str | None:
        """Its name for the container."""
        return self.file or self.architecture

    @property
    def wanted(self) -> str:
        """In words."""
        if self.file:
            return f"{self.type} called {self.file}"
        return f"{self.type} with {self.architecture}" if self.architecture else str(self.type)

    def fits(self, *, architecture: str | None, stem: str) -> bool:
        """Whether a file of its type that holds `architecture` and is called `stem` is one."""
        if self.file:
            return PREPROCESSOR_FILES[self.file].is_meant(family=architecture, stem=stem)
        return self.architecture in (None, architecture)


def newest_needed(params: TaskParams) -> list[NewestNeed]:
    """The files that a request needs without naming them."""
    return [*_newest_words(params), *_face_parts(params), *_preprocessor_files(params)]


def _preprocessor_files(params: TaskParams) -> list[NewestNeed]:
    """The files of the preprocessors that the units name, each once."""
    if not isinstance(params, ImageParams):
        return []
    needs: dict[str, NewestNeed] = {}
    for one in (params, *params.variants()):
        for pointer, unit in _units(one, CONTROLNET):
            module = preprocessor_named(str(unit.get("module", "none")))
            for file in PREPROCESSORS[module].files if module else ():
                need = NewestNeed(
                    AssetType.PREPROCESSOR, f"{pointer}/module", file=file, spare=_may_need_no_map(str(module), unit)
                )
                if file not in needs or (needs[file].spare and not need.spare):
                    needs[file] = need
    return list(needs.values())


def _may_need_no_map(module: str, unit: Mapping[str, Any]) -> bool:
    """Whether the unit has a mask that may take the picture's place, as the container sees when it opens it."""
    image = unit.get("image") or unit.get("input_image")
    given = [unit.get("mask"), unit.get("mask_image"), image.get("mask") if isinstance(image, dict) else None]
    return not PREPROCESSORS[module].hole and (any(given) or (isinstance(image, list) and len(image) == 2))


def _units(params: ImageParams, wanted: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The enabled units of an always-on script, with where they are."""
    for title, script in params.alwayson_scripts.items():
        units = script.get("args") if isinstance(script, dict) and title.lower() == wanted.lower() else None
        for number, unit in enumerate(units if isinstance(units, list) else ()):
            if isinstance(unit, dict) and unit.get("enabled", True):
                yield f"{ROOT}/alwayson_scripts/{reference_token(title)}/args/{number}", unit


def _face_parts(params: TaskParams) -> list[NewestNeed]:
    """A detector, the restorers and a parser, each once."""
    parts: dict[Family, NewestNeed] = {}
    for restorer, pointer in _face_restorers(params):
        for part in face_parts(restorer):
            parts.setdefault(
                part, NewestNeed(AssetType.FACE_RESTORATION, pointer, part, way_out=_WAYS_OUT.get(part, ""))
            )
    return list(parts.values())


def _face_restorers(params: TaskParams) -> Iterator[tuple[Family, str]]:
    """The models that restore faces in a request, with the fields that ask for them."""
    if isinstance(params, ImageParams):
        for one in (params, *params.variants()):
            if one.restores_faces():
                yield Family(one.options.face_restoration_model), f"{ROOT}/restore_faces"
    elif isinstance(params, ExtrasParams):
        if params.gfpgan_visibility > 0:
            yield Family.GFPGAN, f"{ROOT}/gfpgan_visibility"
        if params.codeformer_visibility > 0:
            yield Family.CODEFORMER, f"{ROOT}/codeformer_visibility"


def _newest_words(params: TaskParams) -> list[NewestNeed]:
    script = params.selected_script() if isinstance(params, ImageParams) else None
    if isinstance(script, Loopback) and script.append_interrogation in INTERROGATING:
        return [NewestNeed(INTERROGATING[script.append_interrogation], f"{SCRIPT_POINTER}/3")]
    return [
        NewestNeed(asset_type, f"{ROOT}/{field}")
        for kind, field, asset_type in NEWEST
        if isinstance(params, kind) and not _file(getattr(params, field) or "")
    ]


def named_checkpoint(field: str | None, params: TaskParams) -> list[Need]:
    """Where the request names its checkpoint: in none, one or both of two places."""
    option = params.options.sd_model_checkpoint if isinstance(params, ImageParams) else ""
    named = ((field, CHECKPOINT_POINTER), (option, OPTION_POINTER))
    return [Need(AssetType.CHECKPOINT, str(name), pointer) for name, pointer in named if name]


def wants_automatic_vae(params: TaskParams) -> bool:
    return isinstance(params, ImageParams) and params.options.sd_vae == AUTOMATIC


def tiny_vae_options(params: TaskParams) -> list[str]:
    """The options by which a tiny VAE encodes, decodes or previews."""
    given = params.override_settings if isinstance(params, ImageParams) else {}
    return [option for option in PART_OF_OPTION if given.get(option) == METHOD]


def mentionable_text(params: TaskParams) -> str:
    """All prompts, in lower case, in which names of `MENTIONED` types may appear."""
    if not isinstance(params, ImageParams):
        return ""
    prompts = (found for one in (params, *params.variants()) for found in prompts_of(one))
    texts = dict.fromkeys(text for _, *texts in prompts for text in texts if text)
    return "\n".join(_spaced(text) for text in texts)


def mentioned_at(name: str, text: str) -> int | None:
    """Where the `mentionable_text` has the name as whole words.

    A word is what CLIP takes for one: a run of letters, or a single digit or other character.
    """
    words = _spaced(name)
    if not words or words not in text:
        return None
    before = r"(?<![^\W\d_])" if words[0].isalpha() else ""
    after = r"(?![^\W\d_])" if words[-1].isalpha() else ""
    found = re.search(before + re.escape(words) + after, text)
    return None if found is None else found.start()


def _spaced(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def prompts_of(params: ImageParams) -> list[tuple[str, str, str]]:
    """Field, positive and negative text, without comments; empty ones are left out."""
    fields = [("prompt", params.prompt, ""), ("negative_prompt", "", params.negative_prompt)]
    if isinstance(params, Txt2ImgParams) and params.enable_hr:
        fields += [("hr_prompt", params.hr_prompt, ""), ("hr_negative_prompt", "", params.hr_negative_prompt)]
    if params.options.enable_prompt_comments:
        fields = [(field, strip_comments(prompt), strip_comments(negative)) for field, prompt, negative in fields]
    return [(field, prompt, negative) for field, prompt, negative in fields if prompt or negative]
