"""Each user's preferences: a small JSON document that front ends share.

preferences#USER   `document`: JSON text; `tag`: hash of it
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import ClientError

from lambdas.access.table import AccessTable
from lambdas.aws.errors import CONDITION_FAILED, error_code
from lambdas.aws.rows import to_item

EMPTY_TAG: Final = "empty"


@dataclass(frozen=True)
class Preferences:
    document: dict[str, Any]
    tag: str
    """Changes with the document."""

    @classmethod
    def of(cls, document: dict[str, Any]) -> "Preferences":
        """These preferences with their tag.

        Raises:
            ValueError: a number is not finite.
        """
        return cls(document, hashlib.sha256(_text(document).encode("utf-8", "surrogatepass")).hexdigest()[:32])

    @property
    def size(self) -> int:
        """Bytes as compact JSON."""
        return len(_text(self.document).encode("utf-8", "surrogatepass"))


@dataclass(frozen=True)
class PreferenceStore:
    access: AccessTable

    def get(self, user: str) -> Preferences:
        """One call; empty if there are none."""
        row = self.access.get(preferences_id(user))
        return Preferences({}, EMPTY_TAG) if row is None else Preferences(json.loads(row["document"]), row["tag"])

    def put(self, user: str, preferences: Preferences, *, seen: str | None) -> bool:
        """Replace them; False if their tag is no longer `seen` (None: whatever it is). One call."""
        row = {"access_id": preferences_id(user), "document": _text(preferences.document), "tag": preferences.tag}
        only_if: Any = {}
        if seen == EMPTY_TAG:
            only_if = {"ConditionExpression": "attribute_not_exists(access_id)"}
        elif seen is not None:
            values = to_item({":seen": seen})
            only_if = {"ConditionExpression": "tag = :seen", "ExpressionAttributeValues": values}
        try:
            self.access.client.put_item(TableName=self.access.table, Item=to_item(row), **only_if)
        except ClientError as error:
            if error_code(error) != CONDITION_FAILED:
                raise
            return False
        return True


def preferences_id(user: str) -> str:
    return f"preferences#{user}"


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
