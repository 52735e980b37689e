"""Rows of the assets table: model files by id and by name, one row per type and name."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from inference_container.contract.assets import ASSET_TYPES, AssetStatus, AssetType
from inference_container.contract.messages import AssetRef
from lambdas.aws_errors import CONDITION_FAILED, canceled_by_condition, error_code
from lambdas.batch_reads import batch_get
from lambdas.cursors import decode_cursor, encode_cursor, invalid_cursor
from lambdas.items import from_item, is_id, timestamp, to_item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MAX_NAME = 200
"""Characters of a file name."""
_TITLE = re.compile(r"(?P<name>.+) \[(?P<hash>[0-9a-fA-F]{6,64})\]")


@dataclass(frozen=True)
class AssetRecord:
    """One row, read."""

    asset_id: str
    owner: str
    type: AssetType
    name: str
    size: int
    sha256: str | None
    key: str
    upload_id: str
    part_size: int
    status: AssetStatus
    created_at: datetime
    error: str | None = None

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "AssetRecord":
        return cls(
            asset_id=row["asset_id"],
            owner=row["owner"],
            type=AssetType(row["type"]),
            name=row["name"],
            size=int(row["size"]),
            sha256=row.get("sha256"),
            key=row["key"],
            upload_id=row["upload_id"],
            part_size=int(row["part_size"]),
            status=AssetStatus(row["status"]),
            created_at=datetime.fromisoformat(row["created_at"]),
            error=row.get("error"),
        )

    def row(self) -> dict[str, object]:
        return {
            "asset_id": self.asset_id,
            "owner": self.owner,
            "type": self.type.value,
            "name": self.name,
            "size": self.size,
            "sha256": self.sha256,
            "key": self.key,
            "upload_id": self.upload_id,
            "part_size": self.part_size,
            "status": self.status.value,
            "created_at": timestamp(self.created_at),
            "error": self.error,
        }

    @property
    def stem(self) -> str:
        """The name without its extension."""
        return PurePosixPath(self.name).stem

    @property
    def guard_id(self) -> str:
        """Key of the row that keeps this type and name from being used twice."""
        return name_guard(self.type, self.name)

    def ref(self) -> AssetRef:
        """What the container needs to know."""
        return AssetRef(
            asset_id=self.asset_id, type=self.type, name=self.name, key=self.key, size=self.size, sha256=self.sha256
        )

    def is_called(self, reference: str) -> bool:
        """Whether `reference` means this asset: its id, file name, stem, or WebUI's title `name [hash]`.

        The hash of a title is compared only when the uploader declared one.
        """
        name, digest = split_title(reference)
        # ControlNet's titles carry a hash of another kind.
        if self.sha256 is not None and self.type is not AssetType.CONTROLNET and not self.sha256.startswith(digest):
            return False
        return name in (self.asset_id, self.name, self.stem)


def name_guard(asset_type: AssetType, name: str) -> str:
    """Key of the row that holds a type's name."""
    return f"name#{asset_type}#{name}"


def _file_names(asset_type: AssetType, reference: str) -> list[str]:
    """The file names a reference may stand for."""
    name, _ = split_title(reference)
    if not 0 < len(name) <= MAX_NAME or is_id(reference):
        return []
    return [name, *(f"{name}{extension}" for extension in ASSET_TYPES[asset_type].extensions)]


def split_title(reference: str) -> tuple[str, str]:
    """Name and hash prefix (lower case, may be empty) of a reference such as `name.safetensors [6ce0161689]`."""
    match = _TITLE.fullmatch(reference)
    return (match["name"], match["hash"].lower()) if match else (reference, "")


@dataclass(frozen=True)
class AssetStore:
    client: "DynamoDBClient"
    table: str

    def get(self, asset_id: str) -> AssetRecord | None:
        return self._get(asset_id) if is_id(asset_id) else None

    def find(self, wanted: Iterable[tuple[AssetType, str]]) -> dict[tuple[AssetType, str], list[AssetRecord]]:
        """What each reference of a type may mean: none, one, or several of the same stem.

        Two consistent calls for up to a hundred names to look for, whatever the number of assets.
        """
        asked = list(dict.fromkeys(wanted))
        names = {key: _file_names(*key) for key in asked}
        guards = list(dict.fromkeys(name_guard(kind, name) for (kind, _), found in names.items() for name in found))
        holders = {row["asset_id"]: str(row["refers_to"]) for row in self._batch(guards)}
        ids = [reference for _, reference in asked if is_id(reference)]
        rows = self._batch(list(dict.fromkeys([*ids, *holders.values()])))
        assets = {row["asset_id"]: AssetRecord.from_row(row) for row in rows}
        answer: dict[tuple[AssetType, str], list[AssetRecord]] = {}
        for kind, reference in asked:
            meant = [reference] if is_id(reference) else []
            meant += [holders[guard] for name in names[kind, reference] if (guard := name_guard(kind, name)) in holders]
            known = [assets[asset_id] for asset_id in meant if asset_id in assets]
            called = [asset for asset in known if asset.type is kind and asset.is_called(reference)]
            whole = [asset for asset in called if asset.name == split_title(reference)[0]]
            answer[kind, reference] = whole or called
        return answer

    def active(self, asset_type: AssetType) -> Iterator[AssetRecord]:
        """Every active asset of the type by name; one call for a thousand or two."""
        return (asset for asset in self._every(asset_type) if asset.status is AssetStatus.ACTIVE)

    def some_names(self, asset_type: AssetType, *, limit: int) -> list[str]:
        """Names of some active assets of the type, for messages."""
        page = self._page_of_type(asset_type, after=None, size=limit)
        return [asset.name for asset in page if asset.status is AssetStatus.ACTIVE]

    def page(
        self, types: tuple[AssetType, ...], *, limit: int, cursor: str | None
    ) -> tuple[list[AssetRecord], str | None]:
        """Up to `limit` assets by type and name, and the cursor of the next page; at most one call for each type.

        Raises:
            ProblemError: `invalid_cursor`.
        """
        after = None
        if cursor is not None:
            type_name, name, asset_id = decode_cursor(cursor, parts=3)
            if type_name not in types or not is_id(asset_id):
                raise invalid_cursor()
            after = {"type": type_name, "name": name, "asset_id": asset_id}
            types = types[types.index(AssetType(type_name)) :]
        assets: list[AssetRecord] = []
        for asset_type in types:
            assets += self._page_of_type(asset_type, after=after, size=limit + 1 - len(assets))
            after = None
            if len(assets) > limit:
                last = assets[limit - 1]
                return assets[:limit], encode_cursor([last.type.value, last.name, last.asset_id])
        return assets, None

    def add(self, asset: AssetRecord) -> bool:
        """Add a new asset and take its name; False when the name is taken."""
        return self._transact(
            {
                "Put": {
                    "TableName": self.table,
                    "Item": to_item({"asset_id": asset.guard_id, "refers_to": asset.asset_id}),
                    "ConditionExpression": "attribute_not_exists(asset_id)",
                }
            },
            self._put_new(asset),
        )

    def holder_of_name(self, asset: AssetRecord) -> AssetRecord | None:
        """The asset that has this one's type and name now."""
        guard = self.client.get_item(
            TableName=self.table, Key=to_item({"asset_id": asset.guard_id}), ConsistentRead=True
        ).get("Item")
        return None if guard is None else self._get(str(from_item(guard)["refers_to"]))

    def replace_upload(self, old: AssetRecord, new: AssetRecord) -> bool:
        """Give the name of an asset still `uploading` to a new one; False when it changed meanwhile."""
        return self._transact(
            {
                "Update": {
                    "TableName": self.table,
                    "Key": to_item({"asset_id": old.guard_id}),
                    "UpdateExpression": "SET refers_to = :new",
                    "ConditionExpression": "refers_to = :old",
                    "ExpressionAttributeValues": to_item({":new": new.asset_id, ":old": old.asset_id}),
                }
            },
            {"Delete": {**self._while_uploading(old)}},
            self._put_new(new),
        )

    def activate(self, asset: AssetRecord) -> AssetRecord | None:
        """`uploading → active`; None when the asset is not `uploading` any more."""
        try:
            self.client.update_item(
                TableName=self.table,
                Key=to_item({"asset_id": asset.asset_id}),
                UpdateExpression="SET #status = :active",
                ConditionExpression="#status = :uploading",
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues=to_item(
                    {":active": AssetStatus.ACTIVE.value, ":uploading": AssetStatus.UPLOADING.value}
                ),
            )
        except ClientError as error:
            if error_code(error) != CONDITION_FAILED:
                raise
            return None
        return replace(asset, status=AssetStatus.ACTIVE)

    def fail(self, asset: AssetRecord, reason: str) -> bool:
        """`uploading → failed` and the name is free again; False when the asset is not `uploading` any more."""
        failing = self._while_uploading(asset)
        failing["UpdateExpression"] = "SET #status = :failed, #error = :reason"
        failing["ExpressionAttributeNames"] = {"#status": "status", "#error": "error"}
        failing["ExpressionAttributeValues"] |= to_item({":failed": AssetStatus.FAILED.value, ":reason": reason})
        return self._transact(
            {"Update": failing},
            {
                "Delete": {
                    "TableName": self.table,
                    "Key": to_item({"asset_id": asset.guard_id}),
                    "ConditionExpression": "refers_to = :this",
                    "ExpressionAttributeValues": to_item({":this": asset.asset_id}),
                }
            },
        )

    def _put_new(self, asset: AssetRecord) -> dict[str, Any]:
        return {
            "Put": {
                "TableName": self.table,
                "Item": to_item(asset.row()),
                "ConditionExpression": "attribute_not_exists(asset_id)",
            }
        }

    def _while_uploading(self, asset: AssetRecord) -> dict[str, Any]:
        return {
            "TableName": self.table,
            "Key": to_item({"asset_id": asset.asset_id}),
            "ConditionExpression": "#status = :uploading",
            "ExpressionAttributeNames": {"#status": "status"},
            "ExpressionAttributeValues": to_item({":uploading": AssetStatus.UPLOADING.value}),
        }

    def _transact(self, *writes: Any) -> bool:
        try:
            self.client.transact_write_items(TransactItems=list(writes))
        except ClientError as error:
            if not canceled_by_condition(error):
                raise
            return False
        return True

    def _get(self, asset_id: str) -> AssetRecord | None:
        answer = self.client.get_item(TableName=self.table, Key=to_item({"asset_id": asset_id}), ConsistentRead=True)
        return AssetRecord.from_row(from_item(answer["Item"])) if "Item" in answer else None

    def _page_of_type(self, asset_type: AssetType, *, after: Mapping[str, str] | None, size: int) -> list[AssetRecord]:
        start: Any = {} if after is None else {"ExclusiveStartKey": to_item(after)}
        answer = self.client.query(
            TableName=self.table,
            IndexName="type-name",
            KeyConditionExpression="#type = :type",
            ExpressionAttributeNames={"#type": "type"},
            ExpressionAttributeValues=to_item({":type": asset_type.value}),
            Limit=size,
            **start,
        )
        return [AssetRecord.from_row(from_item(item)) for item in answer["Items"]]

    def _batch(self, keys: Sequence[str]) -> list[dict[str, Any]]:
        return batch_get(self.client, self.table, [{"asset_id": key} for key in keys], consistent=True)

    def _every(self, asset_type: AssetType) -> Iterator[AssetRecord]:
        pages = self.client.get_paginator("query").paginate(
            TableName=self.table,
            IndexName="type-name",
            KeyConditionExpression="#type = :type",
            ExpressionAttributeNames={"#type": "type"},
            ExpressionAttributeValues=to_item({":type": asset_type.value}),
        )
        for page in pages:
            yield from (AssetRecord.from_row(from_item(item)) for item in page["Items"])
