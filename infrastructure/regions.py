"""What AWS does not offer everywhere, so that a stage that needs it is refused before anything is deployed."""

from collections.abc import Mapping
from typing import Final

from infrastructure.config import ConfigError, StageConfig

ABSENT: Final[Mapping[str, Mapping[str, str]]] = {
    "us-gov-": {
        "monthly_budget_usd": "GovCloud has no AWS Budgets; set one in the commercial account that pays for it"
    },
}
"""By prefix of a region's name: fields of `StageConfig` that cannot be used there, and why.

The source is cfn-lint's tables of resource types by region (tests/infrastructure/test_partitions.py).
"""


def refuse_absent(config: StageConfig, *, region: str | None) -> None:
    """Check the stage against its region; None: any region, and CloudFormation checks later.

    Raises:
        ConfigError: the stage needs something that the region does not have.
    """
    for begins, fields in ABSENT.items():
        for field, why in fields.items() if region and region.startswith(begins) else ():
            if getattr(config, field):
                message = f"-c {field} is not available in {region}: {why}"
                raise ConfigError(message)
