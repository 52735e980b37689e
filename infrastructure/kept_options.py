"""Keeps a stage's options in its account, so that later deployments need not repeat them.

The core stack writes the given options to an SSM parameter; `make deploy` reads it and adds the options given now.
Defaults and a stage's presets are not stored, so those of a later version take effect.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from botocore.exceptions import ClientError

from infrastructure.config import ConfigError, StageConfig, own_context
from infrastructure.deployed import ClientOf

OPTIONS_ID: Final = "Options"
DEFAULT: Final = "default"
"""As an option's value: return to its default."""


def options_parameter(stack_name: str) -> str:
    """Name of the SSM parameter."""
    return f"/{stack_name}/options"


def given_options(context: Mapping[str, object]) -> dict[str, str]:
    """The options in an app's context, as text; the stage itself is not one of them."""
    return {name: _text(value) for name, value in sorted(own_context(context).items()) if name != "stage"}


def written(given: Mapping[str, str]) -> str:
    """The options in the parameter's format."""
    return json.dumps(dict(sorted(given.items())))


def read_kept(client: ClientOf, stack_name: str) -> dict[str, str] | None:
    """The options the stage was deployed with; None if it does not exist or is older than 0.3, which kept none.

    Raises:
        ClientError, BotoCoreError: AWS refused or could not be reached.
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
    """The kept options, overridden by the ones given now; `name=default` removes one.

    Kept options that this version does not know are dropped; if given now, they are refused later.
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
    """All options of a deployment: those the stage has, overridden by the ones given now.

    Raises:
        ConfigError: an option is unknown or its value is not allowed.
    """
    settled = settle(kept or {}, asked)
    named = {"stage": stage} if stage else {}
    StageConfig.from_context({**named, **settled})
    return {**named, **settled}


def changes(kept: Mapping[str, str], settled: Mapping[str, str]) -> list[str]:
    """One line per option that differs: `waf: true -> default`."""
    return [
        f"{name}: {kept.get(name, DEFAULT)} -> {settled.get(name, DEFAULT)}"
        for name in sorted({*kept, *settled})
        if kept.get(name, DEFAULT) != settled.get(name, DEFAULT)
    ]


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
