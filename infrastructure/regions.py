"""What AWS does not have everywhere, so that a stage which asks for it is refused before anything is deployed."""

from collections.abc import Mapping
from typing import Final

from infrastructure.config import ConfigError, StageConfig

ABSENT: Final[Mapping[str, Mapping[str, str]]] = {
    "us-gov-": {
        "monthly_budget_usd": "GovCloud has no AWS Budgets; set one in the commercial account that pays for it"
    },
}
"""By how a region's name begins: fields of `StageConfig` that cannot be used there, and why.

cfn-lint's tables of resource types by region are the source (tests/infrastructure/test_partitions.py).
"""


def refuse_absent(config: StageConfig, *, region: str | None) -> None:
    """Check the stage against its region; None is any, and CloudFormation says so later.

    Raises:
        ConfigError: the stage asks for something the region does not have.
    """
    for begins, fields in ABSENT.items():
        for field, why in fields.items() if region and region.startswith(begins) else ():
            if getattr(config, field):
                message = f"-c {field}: not in {region}: {why}"
                raise ConfigError(message)
