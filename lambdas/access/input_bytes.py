"""How many bytes a user may upload as inputs in a day: they are no model files, so no other quota counts them.

inputs#USER#DAY   `bytes`: the sum of the sizes that the user's upload URLs were signed for
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from generate_on_cloud.contract.access import Quotas
from generate_on_cloud.contract.errors import ProblemCode
from lambdas.access.table import AccessTable
from lambdas.aws.rows import Condition, Update
from lambdas.problems import ProblemError

MOST_A_DAY: Final = 20 * 1024**3
"""For a user without `asset_bytes`; a quota of bytes that is smaller holds for the inputs of a day, too."""
_ROOM = "room for the input"


@dataclass(frozen=True)
class InputBytes:
    access: AccessTable

    def count(self, user: str, size: int, quotas: Quotas, *, now: datetime) -> None:
        """Count an input of this size; one call.

        Raises:
            ProblemError: `quota_exceeded`.
        """
        allowed = MOST_A_DAY if quotas.asset_bytes is None else min(MOST_A_DAY, quotas.asset_bytes)
        tomorrow = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        addition = Update(
            table=self.access.table,
            key={"access_id": f"inputs#{user}#{now.date().isoformat()}"},
            expression="SET expires_at = :ends ADD #bytes :size",
            values={
                ":size": size,
                ":room": allowed - size,
                ":none": 0,
                ":ends": int((tomorrow + timedelta(days=1)).timestamp()),
            },
            condition=Condition(_ROOM, "#bytes <= :room OR (attribute_not_exists(#bytes) AND :room >= :none)"),
            names=["bytes"],
        )
        if self.access.write([addition]):
            detail = (
                f"This input ({size} bytes) would exceed the {allowed} bytes that {user} may upload as inputs in a day."
            )
            wait = int((tomorrow - now).total_seconds()) + 1
            raise ProblemError(ProblemCode.QUOTA_EXCEEDED, detail, retry_after=wait)
