"""How many bytes an owner's model files use, counted in the same writes that create, change and finish their rows.

load#USER   `asset_bytes`: the sum of `charged` over the owner's rows; rows of older releases have none and do not count
"""

from dataclasses import dataclass

from generate_on_cloud.contract.errors import ProblemCode
from lambdas.access.table import AccessTable
from lambdas.access.usage import load_id
from lambdas.aws.rows import Action, Condition, Update
from lambdas.problems import ProblemError

ROOM = "room in the quota of bytes"


@dataclass(frozen=True)
class AssetBytes:
    access: AccessTable

    def change(self, owner: str, more: int, *, allowed: int | None = None) -> list[Action]:
        """The update that adds `more` bytes (or subtracts if negative) unless the sum exceeds `allowed`; none for 0.

        It must be part of the transaction that changes the row.
        """
        if more == 0:
            return []
        values, condition = {":more": more}, None
        if more > 0 and allowed is not None:
            values[":room"] = allowed - more
            expression = "asset_bytes <= :room"
            if more <= allowed:
                expression += " OR attribute_not_exists(asset_bytes)"
            condition = Condition(ROOM, expression)
        key, added = {"access_id": load_id(owner)}, "ADD asset_bytes :more"
        return [Update(table=self.access.table, key=key, expression=added, values=values, condition=condition)]

    def of(self, owner: str) -> int:
        """Bytes of the owner's model files, including unfinished ones; one call."""
        return int((self.access.get(load_id(owner)) or {}).get("asset_bytes", 0))


def exceeded(owner: str, more: int, *, allowed: int, used: int | None = None) -> ProblemError:
    """Why a file is refused; an import may not read how much is used."""
    has = "" if used is None else f", of which {used} are used"
    detail = (
        f"This file ({more} bytes) would exceed {owner}'s quota asset_bytes ({allowed} bytes{has}). "
        "Delete some model files, or ask whoever manages users for a higher quota."
    )
    return ProblemError(ProblemCode.QUOTA_EXCEEDED, detail)
