"""Units of the ControlNet extension in `alwayson_scripts`: its field names, aliases and defaults, strictly read."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from generate_on_cloud.contract.preprocessors import (
    PREPROCESSORS,
    RESOLUTION,
    nearest_preprocessor,
    preprocessor_named,
)
from generate_on_cloud.contract.suggestions import same_name

CONTROLNET = "ControlNet"
MAX_UNITS = 10
"""The extension's own limit."""

ALIASES: Mapping[str, str] = MappingProxyType(
    {"input_image": "image", "guidance": "guidance_end", "lowvram": "low_vram", "mask_image": "mask"}
)
PICTURE_FIELDS = frozenset({"image", "input_image", "mask", "mask_image"})
RESIZE_MODES = ("Just Resize", "Crop and Resize", "Resize and Fill")
"""In the order of the numbers 0 to 2 that older clients send."""
CONTROL_MODES = ("Balanced", "My prompt is more important", "ControlNet is more important")
HIRES_OPTIONS = ("Both", "Low res only", "High res only")
_OLD_RESIZE_MODES: Mapping[str, str] = MappingProxyType(
    {
        "Scale to Fit (Inner Fit)": "Crop and Resize",
        "Inner Fit (Scale to Fit)": "Crop and Resize",
        "Envelope (Outer Fit)": "Resize and Fill",
        "Outer Fit (Shrink to Fit)": "Resize and Fill",
    }
)


_HASH = re.compile(r"\s*\[[0-9a-f]{8,}\]$")


def _mode_of(names: tuple[str, ...], old: Mapping[str, str] = MappingProxyType({})) -> BeforeValidator:
    def read(value: object) -> object:
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(names):
            return names[value]
        if not isinstance(value, str):
            return value
        found = same_name(value, (*names, *old))
        return old.get(found, found) if found else value

    return BeforeValidator(read)


class ControlNetUnit(BaseModel):
    """One unit. Unlike the extension, an out-of-range number is refused, and a unit without `enabled` is enabled."""

    model_config = ConfigDict(
        defer_build=True, extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False
    )

    enabled: bool = True
    module: str = "none"
    model: str = "None"
    weight: float = Field(default=1.0, ge=0, le=2)
    image: Annotated[str, Field(min_length=1)] | None = None
    """Base64; None: the init picture. `{"image": …, "mask": …}` and `[image, mask]` are accepted too."""
    mask: Annotated[str, Field(min_length=1)] | None = None
    """White where lines are drawn; a mask that is neither all black nor all white replaces the picture.

    For the preprocessors `inpaint`, `inpaint_only` and `inpaint_only+lama`: white what is drawn anew."""
    resize_mode: Annotated[
        Literal["Just Resize", "Crop and Resize", "Resize and Fill"], _mode_of(RESIZE_MODES, _OLD_RESIZE_MODES)
    ] = "Crop and Resize"
    low_vram: bool = False
    """Has no effect: the container manages memory itself."""
    processor_res: int = -1
    threshold_a: float = -1
    threshold_b: float = -1
    guidance_start: float = Field(default=0.0, ge=0, le=1)
    guidance_end: float = Field(default=1.0, ge=0, le=1)
    pixel_perfect: bool = False
    control_mode: Annotated[
        Literal["Balanced", "My prompt is more important", "ControlNet is more important"], _mode_of(CONTROL_MODES)
    ] = "Balanced"
    inpaint_crop_input_image: bool = True
    hr_option: Annotated[Literal["Both", "Low res only", "High res only"], _mode_of(HIRES_OPTIONS)] = "Both"
    save_detected_map: bool = True
    advanced_weighting: list[float] | None = Field(default=None, min_length=1, max_length=13)
    """A weight per layer, from the encoder's first to the middle block, instead of `weight`."""
    # The extension's own clients send these; other values need features that we do not have.
    is_ui: bool = False
    input_mode: Literal["simple"] = "simple"
    batch_images: Literal[""] | None = None
    output_dir: str = ""
    loopback: Literal[False] = False
    effective_region_mask: None = None
    ipadapter_input: None = None
    pulid_mode: Literal["Fidelity"] = "Fidelity"
    union_control_type: Literal["Unknown"] = "Unknown"

    @model_validator(mode="before")
    @classmethod
    def _aliases(cls, data: object) -> object:
        if not isinstance(data, dict):
            return data
        known = {key: value for key, value in data.items() if value is not None}
        for alias, name in ALIASES.items():
            if alias in known:
                if name in known:
                    raise ValueError(f"received both {alias} and {name}; allowed: one of them")
                known[name] = known.pop(alias)
        image = known.get("image")
        if isinstance(image, list) and len(image) == 2:
            image = dict(zip(("image", "mask"), image, strict=True))
        if isinstance(image, dict) and set(image) <= {"image", "mask"}:
            pair = {key: value for key, value in image.items() if value is not None}
            if "mask" in pair and "mask" in known:
                raise ValueError("received two masks; allowed: one")
            known = {key: value for key, value in known.items() if key != "image"} | pair
        return known

    @field_validator("module")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if name := preprocessor_named(value):
            return name
        allowed = ", ".join(PREPROCESSORS)
        raise ValueError(
            f"received the preprocessor {value[:99]!r}{nearest_preprocessor(value)}; allowed: {allowed}; for any other "
            'send a preprocessed map with module "none"'
        )

    @model_validator(mode="after")
    def _numbers_fit(self) -> "ControlNetUnit":
        rule = PREPROCESSORS[self.module]
        for name, slider in (("threshold_a", rule.threshold_a), ("threshold_b", rule.threshold_b)):
            if slider.minimum > getattr(self, name) >= 0 or getattr(self, name) > slider.maximum:
                raise ValueError(
                    f"received {name} {getattr(self, name)}; allowed for {self.module}: {slider.minimum} to "
                    f"{slider.maximum}, or -1 for {slider.default}"
                )
        if RESOLUTION.minimum > self.processor_res >= 0 or self.processor_res > RESOLUTION.maximum:
            raise ValueError(f"received processor_res {self.processor_res}; allowed: 64 to 2048, or -1 for 512")
        if self.guidance_start > self.guidance_end:
            raise ValueError(
                f"received guidance_start {self.guidance_start} after guidance_end {self.guidance_end}; "
                "allowed: a start no later than the end"
            )
        if self.enabled and self.model_name is None:
            raise ValueError("received an enabled unit without a model; allowed: the name of an uploaded controlnet")
        if self.mask is not None and self.image is None:
            raise ValueError("received a mask without an image; allowed: both, or neither")
        return self

    @property
    def model_name(self) -> str | None:
        """The file's name, without the hash that the extension appends; None for `None`."""
        name = _HASH.sub("", self.model.strip())
        return None if name.casefold() in ("", "none") else name

    @property
    def thresholds(self) -> tuple[float, float]:
        rule = PREPROCESSORS[self.module]
        a, b = self.threshold_a, self.threshold_b
        return (a if a >= 0 else rule.threshold_a.default, b if b >= 0 else rule.threshold_b.default)

    @property
    def resolution(self) -> int:
        """Length in pixels of the map's shorter side, unless the unit is pixel-perfect."""
        return self.processor_res if self.processor_res >= 0 else int(RESOLUTION.default)

    def infotext(self) -> str:
        """The entry that the extension writes for an enabled unit."""
        a, b = self.thresholds
        entries: dict[str, object] = {
            "Module": self.module,
            "Model": self.model.replace(",", " ").replace(":", " "),
            "Weight": self.weight,
            "Resize Mode": self.resize_mode,
            "Processor Res": self.resolution,
            "Threshold A": a,
            "Threshold B": b,
            "Guidance Start": self.guidance_start,
            "Guidance End": self.guidance_end,
            "Pixel Perfect": self.pixel_perfect,
            "Control Mode": self.control_mode,
        }
        return ", ".join(f"{name}: {value}" for name, value in entries.items())


def read_controlnet(scripts: Mapping[str, Any]) -> tuple[ControlNetUnit, ...]:
    """The enabled units in `alwayson_scripts`, in order; the title is matched case-insensitively.

    Raises:
        ValueError: invalid arguments; the text names the unit, its field and what is allowed.
    """
    found = [script for title, script in scripts.items() if title.lower() == CONTROLNET.lower()]
    if len(found) > 1:
        raise ValueError(f"received {CONTROLNET} {len(found)} times; allowed: once")
    units = [_unit(number, raw) for number, raw in enumerate(_arguments(found[0]) if found else ())]
    return tuple(unit for unit in units if unit.enabled)


def without_pictures(scripts: Mapping[str, Any]) -> dict[str, Any]:
    """Valid `alwayson_scripts` with every picture of a unit replaced by null."""
    return {
        title: {"args": [_blank(unit) for unit in _arguments(script)]}
        if title.lower() == CONTROLNET.lower()
        else script
        for title, script in scripts.items()
    }


def _blank(unit: object) -> object:
    if not isinstance(unit, dict):
        return unit
    return {name: None if name in PICTURE_FIELDS else value for name, value in unit.items()}


def _arguments(script: object) -> list[object]:
    arguments = script.get("args", []) if isinstance(script, dict) and set(script) <= {"args"} else None
    if not isinstance(arguments, list) or len(arguments) > MAX_UNITS:
        received = f"{len(arguments)} units" if isinstance(arguments, list) else repr(script)[:99]
        raise ValueError(f'{CONTROLNET}: received {received}; allowed: {{"args": [up to {MAX_UNITS} units]}}')
    return arguments


def _unit(number: int, raw: object) -> ControlNetUnit:
    if isinstance(raw, dict) and raw.get("enabled") is False:
        return ControlNetUnit(enabled=False)
    try:
        return ControlNetUnit.model_validate(raw)
    except ValidationError as error:
        reasons = "; ".join(
            ": ".join((*map(str, found["loc"]), found["msg"].removeprefix("Value error, ")))
            for found in error.errors(include_url=False, include_context=False, include_input=False)
        )
        raise ValueError(f"{CONTROLNET} {number}: {reasons}") from error
