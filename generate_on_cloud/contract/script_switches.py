"""Whether a request switches on an always-on script, for scripts that this version does not have.

WebUI's page and its API clients send the arguments of every installed script, including those that are off.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

SILENT_SCRIPTS: Mapping[str, str] = MappingProxyType(
    {
        "api payload": "it only shows the request",
        "comments": "use the option enable_prompt_comments",
        "extra options": "send these options in override_settings",
        "hypertile": "it has no arguments; its switches are options",
        "never oom integrated": "memory is managed by the container",
        "refiner": "use the fields refiner_checkpoint and refiner_switch_at",
        "sampler": "use the fields steps, sampler_name and scheduler",
        "seed": "use the fields seed, subseed and subseed_strength",
    }
)
"""Scripts whose arguments WebUI's API ignores or that change no picture: lower-case title -> what to use instead."""

_SWITCHES = ("enabled", "enable", "is_enabled", "ad_enable", "ad_tab_enable", "active")
_MODELS = ("ad_model",)
"""Keys of units that do nothing without a model (ADetailer)."""
_NOTHING = (None, "", "None", "none", False)


def is_false(value: object) -> bool:
    """Whether a switch is off or not there, in every spelling of pydantic's booleans."""
    if isinstance(value, str):
        return value.lower() in ("", "0", "off", "f", "false", "n", "no")
    return value is None or value in (False, 0)


def is_off(script: object) -> bool:
    """Whether the arguments `{"args": …}` leave an always-on script off.

    The first boolean among the arguments is the switch, as in popular scripts (ADetailer, FreeU, ReActor, Tiled
    Diffusion, Forge's own). Without a boolean, the units decide; empty arguments leave it off.
    """
    arguments = script.get("args") if isinstance(script, Mapping) and "args" in script else script
    if isinstance(arguments, Mapping):
        return _unit_is_off(arguments)
    if not isinstance(arguments, Sequence) or isinstance(arguments, str):
        return arguments in _NOTHING
    switch = next((argument for argument in arguments if isinstance(argument, bool)), None)
    units = [argument for argument in arguments if isinstance(argument, Mapping)]
    if switch is False:
        return True
    if units:
        return all(map(_unit_is_off, units)) and (
            switch is None or any(key in unit for unit in units for key in _MODELS)
        )
    return switch is None and all(_is_nothing(argument) for argument in arguments)


def _unit_is_off(unit: Mapping[str, object]) -> bool:
    if any(unit.get(key) is False for key in _SWITCHES):
        return True
    if any(key in unit and unit[key] in _NOTHING for key in _MODELS):
        return True
    return not any(key in unit for key in (*_SWITCHES, *_MODELS)) and all(map(_is_nothing, unit.values()))


def _is_nothing(value: object) -> bool:
    return value in ([], {}) or (isinstance(value, (str, bool, type(None))) and value in _NOTHING)
