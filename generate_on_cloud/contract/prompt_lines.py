"""Prompts from file or textbox: each line is a prompt, or fields of the request as `--field value` (WebUI's rules)."""

import shlex
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from generate_on_cloud.contract.limits import MAX_PICTURES
from generate_on_cloud.contract.samplers import sampler_named
from generate_on_cloud.contract.script_variants import check_expanded, check_text, varied
from generate_on_cloud.contract.selectable_scripts import PromptsFromFile

if TYPE_CHECKING:
    from generate_on_cloud.contract.params import ImageParams

Params = TypeVar("Params", bound="ImageParams")
Read = Callable[[str], object]
BYTE_ORDER_MARK = "\ufeff"
"""What editors on Windows put at the start of a text file."""
_CHECKPOINT = "sd_model"
_PROMPTS = ("prompt", "negative_prompt")


def _flag(text: str) -> bool:
    return text == "true"


FIELDS: Mapping[str, Read] = MappingProxyType(
    {
        **dict.fromkeys(("seed", "subseed", "seed_resize_from_h", "seed_resize_from_w"), int),
        **dict.fromkeys(("batch_size", "n_iter", "steps", "width", "height"), int),
        **dict.fromkeys(("subseed_strength", "cfg_scale"), float),
        **dict.fromkeys(("restore_faces", "tiling", "do_not_save_samples", "do_not_save_grid"), _flag),
        "sampler_name": lambda text: sampler_named(text) or text,
        "styles": lambda text: [name.strip() for name in text.split(",")],
        _CHECKPOINT: str,
    }
)
"""Fields that a line may set, besides the prompts, and how their text is read."""
IGNORED: Mapping[str, Read] = MappingProxyType(
    {"outpath_samples": str, "outpath_grids": str, "prompt_for_display": str, "sampler_index": int}
)
"""Further ones that WebUI reads and that change no picture."""
_READERS = {**FIELDS, **IGNORED}


def line_params(script: PromptsFromFile, params: Params) -> list[Params]:
    """The drawing of each line that is not empty.

    Raises:
        ValueError: no or too many lines, too much text, or a line with a value that a request could not have.
    """
    text = script.prompt_txt.removeprefix(BYTE_ORDER_MARK)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not 0 < len(lines) <= MAX_PICTURES:
        raise ValueError(
            f"Prompts from file or textbox: received {len(lines)} lines in prompt_txt; allowed: 1 to {MAX_PICTURES}"
        )
    check_text(len(lines) * (len(params.prompt) + len(params.negative_prompt)))
    drawings = []
    seed = params.seed
    for number, line in enumerate(lines, start=1):
        changes = _changes(line, script, params)
        drawings.append(varied(params, {"seed": seed, **changes}, place=f"prompt_txt: line {number}"))
        if script.checkbox_iterate and seed != -1:
            seed += params.batch_size * params.n_iter
    check_expanded(drawings)
    return drawings


def _changes(line: str, script: PromptsFromFile, params: "ImageParams") -> dict[str, object]:
    found = read_line(line)
    changes = {name: value for name, value in found.items() if name in FIELDS and name != _CHECKPOINT}
    for field in _PROMPTS:
        text, own = found.get(field), getattr(params, field)
        if field in found:
            first, second = (text, own) if script.prompt_position == "start" else (own, text)
            changes[field] = f"{first} {second}" if text and own else text
    if _CHECKPOINT in found:
        changes["override_settings"] = {**params.override_settings, "sd_model_checkpoint": found[_CHECKPOINT]}
    return changes


def read_line(line: str) -> dict[str, object]:
    """The fields that a line sets; a line that cannot be read as fields is a prompt, as in WebUI."""
    try:
        return _read(shlex.split(line)) if "--" in line else {"prompt": line}
    except (ValueError, LookupError):
        return {"prompt": line}


def _read(words: list[str]) -> dict[str, object]:
    found: dict[str, object] = {}
    while words:
        option, value, *words = words
        if not option.startswith("--"):
            raise LookupError(option)
        name = option[2:]
        while name in _PROMPTS and words and not words[0].startswith("--"):
            value, words = f"{value} {words[0]}", words[1:]
        found[name] = value if name in _PROMPTS else _READERS[name](value)
    return found
