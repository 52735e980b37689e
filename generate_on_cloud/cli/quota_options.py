"""The quotas of users and roles as options, and as words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from generate_on_cloud.cli.tables import size
from generate_on_cloud.contract.access import Quotas

NO_LIMIT = "none"
_UNITS: Mapping[str, int] = {"": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def read_limit(text: str) -> int | str:
    """A whole number, with a unit for bytes (`20GB`), or `none`."""
    if text == NO_LIMIT:
        return text
    for unit, factor in _UNITS.items():
        number = text.removesuffix(unit) if unit else text
        if number.isdecimal() and number + unit == text:
            return int(number) * factor
    raise typer.BadParameter(f"received {text!r}; allowed: a whole number, for bytes also 500MB or 20GB, or {NO_LIMIT}")


@dataclass(frozen=True)
class QuotaOptions:
    """Limits to set; `none` takes one away."""

    jobs_per_day: Annotated[
        Any, typer.Option(metavar="N", parser=read_limit, help="Jobs in a day (UTC); `none`: no limit.")
    ] = None
    concurrent_jobs: Annotated[
        Any, typer.Option(metavar="N", parser=read_limit, help="Open jobs; `none`: no limit.")
    ] = None
    megapixel_steps_per_day: Annotated[
        Any, typer.Option(metavar="N", parser=read_limit, help="Megapixels × steps × pictures in a day.")
    ] = None
    jobs_per_month: Annotated[Any, typer.Option(metavar="N", parser=read_limit, help="Jobs in a month (UTC).")] = None
    megapixel_steps_per_month: Annotated[
        Any, typer.Option(metavar="N", parser=read_limit, help="Megapixels × steps × pictures in a month.")
    ] = None
    usd_per_month: Annotated[
        Any, typer.Option(metavar="DOLLARS", parser=read_limit, help="GPU time in a month, at the deployment's price.")
    ] = None
    asset_bytes: Annotated[
        Any, typer.Option(metavar="SIZE", parser=read_limit, help="Model files, such as 20GB; `none`: no limit.")
    ] = None

    def changes(self) -> dict[str, int | None]:
        """What was given; None takes a limit away."""
        given = {name: getattr(self, name) for name in Quotas.model_fields}
        return {name: None if value == NO_LIMIT else value for name, value in given.items() if value is not None}

    def over(self, quotas: Quotas) -> Quotas:
        """These limits, and those of `quotas` where nothing was given."""
        limits = {**quotas.model_dump(), **self.changes()}
        return Quotas.model_validate({name: limit for name, limit in limits.items() if limit is not None})


def quota_words(quotas: Quotas) -> str:
    """`20 jobs per day, 20.0 GB asset bytes`; empty without limits."""
    limits = quotas.model_dump(exclude_none=True)
    return ", ".join(
        f"{size(value)} of model files" if name == "asset_bytes" else f"{value} {name.replace('_', ' ')}"
        for name, value in limits.items()
    )
