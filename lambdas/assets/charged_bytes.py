"""How many bytes an owner's model files have: counted in the very writes that make, change and end their rows.

load#USER   `asset_bytes`: the sum of `charged` of the owner's rows; those of older releases have none and count nothing
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
        """The update that counts so many bytes more, or fewer, if they then are not more than `allowed`; none for 0.

        To be part of the transaction that changes the row.
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
        """Bytes of the owner's model files, those on their way too; one call."""
        return int((self.access.get(load_id(owner)) or {}).get("asset_bytes", 0))


def exceeded(owner: str, more: int, *, allowed: int, used: int | None = None) -> ProblemError:
    """Why a file is kept out; an import may not look at what is used."""
    has = "" if used is None else f" have {used} bytes and"
    detail = (
        f"{owner}'s model files{has} would, with {more} more, have more than the {allowed} the quota asset_bytes "
        "allows. Delete some, or ask who manages users for more."
    )
    return ProblemError(ProblemCode.QUOTA_EXCEEDED, detail)
