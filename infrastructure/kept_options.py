"""A stage's options are kept in its account, so that a later deployment need not repeat them.

The core stack writes what was asked for into a parameter of SSM; `make deploy` reads it and adds what is asked for now.
Defaults and a stage's presets are not written down: those of a later version take effect.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from botocore.exceptions import ClientError

from infrastructure.config import ConfigError, StageConfig, own_context
from infrastructure.deployed import ClientOf

OPTIONS_ID: Final = "Options"
DEFAULT: Final = "default"
"""As the value of an option: back to its default."""


def options_parameter(stack_name: str) -> str:
    """Name of the parameter."""
    return f"/{stack_name}/options"


def given_options(context: Mapping[str, object]) -> dict[str, str]:
    """The options an app's context asks for, as text; the stage itself is not one of them."""
    return {name: _text(value) for name, value in sorted(own_context(context).items()) if name != "stage"}


def written(given: Mapping[str, str]) -> str:
    """As the parameter holds it."""
    return json.dumps(dict(sorted(given.items())))


def read_kept(client: ClientOf, stack_name: str) -> dict[str, str] | None:
    """What the stage was deployed with; None when there is no such stage, or one of before 0.3, which kept nothing.

    Raises:
        ClientError, BotoCoreError: AWS refused or was not reached.
    """
    try:
        found = client("ssm").get_parameter(Name=options_parameter(stack_name))
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") == "ParameterNotFound":
            return None
        raise
    kept: Any = json.loads(found["Parameter"]["Value"])
    return {str(name): str(value) for name, value in kept.items()}


def settle(kept: Mapping[str, str], asked: Mapping[str, str]) -> dict[str, str]:
    """Kept options with those asked for now over them; `name=default` takes one away.

    An option that this version does not know is dropped from what was kept; asked for, it is refused later.
    """
    known = {name: value for name, value in kept.items() if name in StageConfig.model_fields}
    return {name: value for name, value in sorted({**known, **asked}.items()) if value != DEFAULT}


def read_pairs(pairs: Sequence[str]) -> dict[str, str]:
    """Read `NAME=VALUE` pairs as the CLI's `-c` takes them.

    Raises:
        ConfigError: an argument is not such a pair.
    """
    if wrong := [pair for pair in pairs if "=" not in pair]:
        raise ConfigError(f"-c: received {', '.join(wrong)}; allowed: NAME=VALUE")
    return dict(pair.split("=", 1) for pair in pairs)


def stage_context(kept: Mapping[str, str] | None, stage: str, asked: Mapping[str, str]) -> dict[str, str]:
    """All options of a deployment: what the stage has, and over it what is asked for now.

    Raises:
        ConfigError: an option is unknown or its value is not allowed.
    """
    settled = settle(kept or {}, asked)
    named = {"stage": stage} if stage else {}
    StageConfig.from_context({**named, **settled})
    return {**named, **settled}


def changes(kept: Mapping[str, str], settled: Mapping[str, str]) -> list[str]:
    """A line for each option that differs: `waf: true -> default`."""
    return [
        f"{name}: {kept.get(name, DEFAULT)} -> {settled.get(name, DEFAULT)}"
        for name in sorted({*kept, *settled})
        if kept.get(name, DEFAULT) != settled.get(name, DEFAULT)
    ]


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
