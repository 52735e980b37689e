"""There is always a key with which an administrator can do everything, and which does not expire.

lasting#admin   `revision`: how often such keys were taken away, so that two requests cannot take the last two at once
"""

from collections.abc import Collection
from dataclasses import dataclass

from generate_on_cloud.contract.access import ADMIN
from generate_on_cloud.contract.errors import ProblemCode
from lambdas.access.table import AccessTable
from lambdas.access.user_record import KeyRecord, UserRecord, user_row_id
from lambdas.aws.rows import Action, Condition, Update
from lambdas.problems import ProblemError

LASTING_SEEN = "the lasting keys as they were read"
_ROW = f"lasting#{ADMIN}"


@dataclass(frozen=True)
class LastingKeys:
    access: AccessTable

    def taken(self, user: UserRecord, key_ids: Collection[str]) -> list[Action]:
        """Further actions of a transaction that takes these keys from a user; LASTING_SEEN is their condition.

        No call unless the user is an administrator; else one for each thousand users and for each hundred keys.

        Raises:
            ProblemError: `last_admin`, no other lasting key of an administrator would be left.
        """
        if not _acts(user):
            return []
        row = self.access.get(_ROW)
        lasting = self._lasting()
        if not lasting & set(key_ids):
            return []
        if not lasting - set(key_ids):
            detail = (
                "This would take away the last key of an administrator that does not expire and is not limited; "
                "create another one first."
            )
            raise ProblemError(ProblemCode.LAST_ADMIN, detail)
        seen = int(row["revision"]) if row else 0
        return [
            Update(
                table=self.access.table,
                key={"access_id": _ROW},
                expression="SET #revision = :next",
                values={":next": seen + 1, ":seen": seen},
                condition=Condition(LASTING_SEEN, "attribute_not_exists(#revision) OR #revision = :seen"),
                names=["revision"],
            )
        ]

    def _lasting(self) -> set[str]:
        # The index may be behind, so it only says which rows to read.
        rows = self.access.rows([user_row_id(str(row["place"])) for row in self.access.listed("users")])
        users = [UserRecord.from_row(row) for row in rows]
        ids = [key_id for user in users if _acts(user) for key_id in sorted(user.key_ids)]
        keys = [KeyRecord.from_row(row) for row in self.access.rows([f"key#{key_id}" for key_id in ids])]
        return {key.key_id for key in keys if key.expires_at is None and key.permissions is None}


def _acts(user: UserRecord) -> bool:
    """Whether this is an administrator whose keys work."""
    return user.role == ADMIN and not user.disabled and not user.deleted
