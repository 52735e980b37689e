"""The file with a user's defaults: `config.toml` next to the saved profiles."""

import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from generate_on_cloud.client.errors import CloudError
from generate_on_cloud.client.login import DEFAULT_PROFILE, PROFILE_VARIABLE, configuration_folder

CONFIG_VARIABLE = "GOC_CONFIG"


class Defaults(BaseModel):
    """What commands use where their options are omitted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    checkpoint: str | None = Field(default=None, description="drawn with when --checkpoint is omitted")
    endpoint: str | None = Field(default=None, description="where jobs go when --endpoint is omitted")
    out: Path | None = Field(default=None, description="folder for pictures when --save or --out is omitted")
    name: str | None = Field(default=None, description="pattern of file names when --name is omitted")
    params: dict[str, Any] = Field(
        default={}, description="WebUI's fields, such as width and steps, which options replace"
    )


class DefaultsFile(Defaults):
    """The whole file; `[profiles.NAME]` replaces single defaults."""

    profiles: dict[str, Defaults] = {}


def defaults_file(environment: Mapping[str, str] = os.environ) -> Path:
    """`GOC_CONFIG`, else `config.toml` in the configuration folder."""
    named = environment.get(CONFIG_VARIABLE)
    return Path(named) if named else configuration_folder(environment) / "config.toml"


def read_defaults(environment: Mapping[str, str] = os.environ, *, profile: str | None = None) -> Defaults:
    """The defaults for a profile; without a file all are unset.

    Raises:
        CloudError: the file is no TOML, or has unknown names or wrong values.
    """
    path = defaults_file(environment)
    try:
        file = DefaultsFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8-sig")))
    except FileNotFoundError:
        return Defaults()
    except tomllib.TOMLDecodeError as error:
        raise CloudError(f"{path} is not TOML: {error}") from error
    except ValidationError as error:
        allowed = ", ".join((*Defaults.model_fields, "[profiles.NAME]"))
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise CloudError(f"{path}: {faults}; allowed: {allowed}") from error
    special = file.profiles.get(profile or environment.get(PROFILE_VARIABLE) or DEFAULT_PROFILE, Defaults())
    merged = {name: getattr(file, name) for name in Defaults.model_fields}
    merged |= {name: getattr(special, name) for name in special.model_fields_set if name != "params"}
    return Defaults(**{**merged, "params": {**file.params, **special.params}})


def set_default(path: Path, name: str, value: str | None) -> None:
    """Write one default into the file, or take it out; everything else in it stays, comments too.

    Raises:
        CloudError: there is no such default.
    """
    plain = [field for field in Defaults.model_fields if field != "params"]
    table, _, field = name.rpartition(".")
    if (table, field) not in [("", one) for one in plain] and table != "params":
        raise CloudError(f"received {name!r}; allowed: {', '.join(plain)}, params.FIELD")
    lines = path.read_text(encoding="utf-8-sig").splitlines() if path.exists() else []
    begin, end = _section(lines, table)
    if begin is None:
        lines += [f"[{table}]"]
        begin, end = len(lines), len(lines)
    kept = [line for line in lines[begin:end] if not re.match(rf"\s*{re.escape(field)}\s*=", line)]
    new = [] if value is None else [f"{field} = {_toml(value) if table else json.dumps(value, ensure_ascii=False)}"]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*lines[:begin], *new, *kept, *lines[end:]]) + "\n", encoding="utf-8")


def _section(lines: list[str], table: str) -> tuple[int | None, int]:
    """Where the lines of a table begin and end; "" is what comes before the first one."""
    heads = [number for number, line in enumerate(lines) if line.lstrip().startswith("[")]
    if not table:
        return 0, heads[0] if heads else len(lines)
    for place, number in enumerate(heads):
        if lines[number].strip() == f"[{table}]":
            return number + 1, heads[place + 1] if place + 1 < len(heads) else len(lines)
    return None, len(lines)


def _toml(value: str) -> str:
    """A number or truth value as it is, anything else as a text."""
    if re.fullmatch(r"-?\d+(\.\d+)?|true|false", value):
        return value
    return json.dumps(value, ensure_ascii=False)
