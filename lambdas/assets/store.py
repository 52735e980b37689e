"""Rows of the assets table: model files by id and by name, one row per type and name."""

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from generate_on_cloud.contract.access import Permission
from generate_on_cloud.contract.assets import ASSET_TYPES, AssetStatus, AssetType
from lambdas.access.caller import Caller
from lambdas.assets.record import AssetRecord, composed, name_guard, split_title
from lambdas.aws.cursors import CursorSigner
from lambdas.aws.rows import (
    Action,
    Condition,
    Delete,
    Keys,
    PutNew,
    Update,
    from_item,
    is_id,
    read_rows,
    to_item,
    transact,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MAX_NAME = 200
"""Maximum characters of a file name."""
NAME_FREE = "a name that is free"
_STRANGERS = 3
_NEW = "a new asset"
_HOLDER = "the holder of the name"
REMEMBERED = 1000
"""How many names to remember the holders of, for the guess at the next lookup."""


def _file_names(asset_type: AssetType, reference: str) -> list[str]:
    """The file names that a reference may mean, also as releases before this one kept them: as they were sent."""
    name, _ = split_title(reference)
    if not 0 < len(name) <= MAX_NAME or is_id(reference):
        return []
    names = [name, *(f"{name}{extension}" for extension in ASSET_TYPES[asset_type].extensions)]
    return list(dict.fromkeys([*names, *(unicodedata.normalize("NFD", one) for one in names)]))


def _position(asset: AssetRecord) -> tuple[str, str, str]:
    return asset.type.value, asset.name, asset.asset_id


Reference = tuple[AssetType, str]
"""A type, and an id, file name, stem or title by which a request refers to an asset of that type."""
Meanings = Mapping[Reference, Sequence[AssetRecord]]
"""What the references may mean."""


def _guards(asked: Iterable[Reference]) -> list[str]:
    """Ids of the rows that say who holds the names."""
    return list(dict.fromkeys(name_guard(kind, name) for kind, text in asked for name in _file_names(kind, text)))


def is_for(asset: AssetRecord, caller: Caller) -> bool:
    """Whether the caller may use it: it is theirs, or meant for them and in the list of their role, if it has one.

    A deleted one is for nobody.
    """
    if asset.status is AssetStatus.DELETED:
        return False
    listed = caller.assets is None or asset.owner == caller.user or asset.is_listed(caller.assets)
    return listed and caller.may_use(asset, Permission.ASSET_ALL)


def distance(asset: AssetRecord, caller: Caller) -> int:
    """How far an asset is from the caller: their own, of a user they trust, an administrator's, a stranger's."""
    if asset.owner == caller.user:
        return 0
    if asset.owner in caller.trusted:
        return 1
    return 2 if asset.trusted else _STRANGERS


def closest(assets: Sequence[AssetRecord], caller: Caller) -> list[AssetRecord]:
    """Those closest to the caller, so that nobody's file makes a name of the caller's own ambiguous."""
    least = min((distance(asset, caller) for asset in assets), default=0)
    return [asset for asset in assets if distance(asset, caller) == least]


def acting(assets: Iterable[AssetRecord], caller: Caller) -> list[AssetRecord]:
    """Those that may act on the caller's job without being named."""
    return [asset for asset in assets if distance(asset, caller) < _STRANGERS]


def _meant_otherwise(name: str, active: Sequence[AssetRecord], caller: Caller) -> list[AssetRecord]:
    if named := [asset for asset in active if asset.is_also_called(name)]:
        return named
    near = acting(active, caller)
    return [asset for asset in near if asset.is_nearly_called(name)] or [
        asset for asset in near if asset.has_in_its_title(name)
    ]


def _is_usable(asset: AssetRecord, caller: Caller) -> bool:
    return asset.status is AssetStatus.ACTIVE and is_for(asset, caller)


@dataclass(frozen=True)
class AssetStore:
    client: "DynamoDBClient"
    table: str
    passed_over_at_once: int = 500
    """Rows that a page reads in each call after its first."""
    max_reads: int = 20
    """Maximum calls per page."""
    _last_holders: dict[str, str] = field(default_factory=dict)
    """Asset ids by name guard, as last read."""

    def get(self, asset_id: str) -> AssetRecord | None:
        return self._get(asset_id) if is_id(asset_id) else None

    def find(self, wanted: Iterable[Reference], caller: Caller) -> Meanings:
        """What each reference may mean to the caller: no asset, one, or several with the same stem.

        Consistent reads, however many assets there are: one call if the names have the same holders as last time,
        else two, for up to a hundred names and holders.
        """
        asked = list(wanted)
        return self.meanings(asked, read_rows(self.client, self.keys(asked), consistent=True), caller)

    def keys(self, asked: Sequence[Reference]) -> Keys:
        """Keys of the rows that resolve the references; read them in one call, along with others if needed."""
        guards, ids = _guards(asked), [reference for _, reference in asked if is_id(reference)]
        # The previous holder of a name only guesses which rows to read along with the guards; the guards decide.
        guesses = [self._last_holders[guard] for guard in guards if guard in self._last_holders]
        return {self.table: [{"asset_id": key} for key in dict.fromkeys([*guards, *ids, *guesses])]}

    def meanings(
        self, asked: Sequence[Reference], read: Mapping[str, Sequence[Mapping[str, Any]]], caller: Caller
    ) -> Meanings:
        """What the references mean, according to the rows of their `keys`; one more call for unguessed assets."""
        rows = {str(row["asset_id"]): row for row in read.get(self.table, [])}
        holders = {guard: str(rows.pop(guard)["refers_to"]) for guard in _guards(asked) if guard in rows}
        self._remember(holders)
        rest = [holder for holder in dict.fromkeys(holders.values()) if holder not in rows]
        records = (AssetRecord.from_row(row) for row in [*rows.values(), *self._batch(rest)])
        assets = {asset.asset_id: asset for asset in records if is_for(asset, caller)}
        answer: dict[Reference, list[AssetRecord]] = {}
        for kind, reference in asked:
            meant = [reference] if is_id(reference) else []
            names = _file_names(kind, reference)
            meant += [holders[guard] for name in names if (guard := name_guard(kind, name)) in holders]
            known = [assets[asset_id] for asset_id in meant if asset_id in assets]
            called = [asset for asset in known if asset.type is kind and asset.is_called(reference)]
            whole = [asset for asset in called if composed(asset.name) == split_title(reference)[0]]
            answer[kind, reference] = whole or called
        return answer

    def called_otherwise(self, asked: Iterable[Reference], caller: Caller) -> Meanings:
        """What references that are no file's name may mean: active assets of the caller's; a call for each type.

        Those called so by their alias or hash. Else, of the files that may act without being named: those whose name
        differs in case only, else those that have it in their title, if it is a checkpoint's or a ControlNet's.
        """
        references = list(asked)
        active = {kind: list(self.active(kind, caller)) for kind in dict.fromkeys(kind for kind, _ in references)}
        return {(kind, name): _meant_otherwise(name, active[kind], caller) for kind, name in references}

    def _remember(self, holders: Mapping[str, str]) -> None:
        if len(self._last_holders) + len(holders) > REMEMBERED:
            self._last_holders.clear()
        self._last_holders.update(holders)

    def active(self, asset_type: AssetType, caller: Caller) -> Iterator[AssetRecord]:
        """Every active asset of the type that the caller may use, by name; one call per one or two thousand."""
        return (asset for asset in self.usable(asset_type, caller) if asset.status is AssetStatus.ACTIVE)

    def usable(self, asset_type: AssetType, caller: Caller) -> Iterator[AssetRecord]:
        """Every asset of the type that the caller may use, active or not; the calls of `active`."""
        return (asset for asset in self._every(asset_type) if is_for(asset, caller))

    def some_names(self, asset_type: AssetType, caller: Caller, *, limit: int) -> list[str]:
        """Names of some active assets of the type that the caller may use, for messages."""
        page = self._page_of_type(asset_type, after=None, size=limit)
        return [asset.name for asset in page if _is_usable(asset, caller)]

    def page(
        self,
        asset_type: AssetType | None,
        *,
        limit: int,
        cursor: str | None,
        signer: CursorSigner,
        takes: Callable[[AssetRecord], bool],
    ) -> tuple[list[AssetRecord], str | None]:
        """Up to `limit` assets that `takes` accepts, by type and name, and the cursor of the next page.

        One call if all are accepted. After `max_reads` calls the page ends early, with a cursor.

        Raises:
            ProblemError: `invalid_cursor`.
        """
        scope = f"assets#{asset_type}"
        after = None
        if cursor is not None:
            type_name, name, asset_id = signer.read(cursor, scope=scope, parts=3)
            after = {"type": type_name, "name": name, "asset_id": asset_id}
        found: list[AssetRecord] = []
        size = limit + 1
        for _ in range(self.max_reads):
            if asset_type is None:
                read = self._page_of_all(after=after, size=size)
            else:
                read = self._page_of_type(asset_type, after=after, size=size)
            for asset in read:
                if not takes(asset):
                    continue
                if len(found) == limit:
                    return found, signer.sign(_position(found[-1]), scope=scope)
                found.append(asset)
            if len(read) < size:
                return found, None
            after = dict(zip(("type", "name", "asset_id"), _position(read[-1]), strict=True))
            size = self.passed_over_at_once
        return found, signer.sign(_position(read[-1]), scope=scope)

    def with_hash(self, sha256: str) -> list[AssetRecord]:
        """Active assets whose bytes have this SHA-256; one call."""
        found = self._query("sha256-created_at", "sha256", sha256)
        return [asset for asset in found if asset.status is AssetStatus.ACTIVE]

    def working(self) -> Iterator[AssetRecord]:
        """Assets that are neither active nor failed, oldest first."""
        return self._query("working-created_at", "working", "1")

    def put_new(self, asset: AssetRecord) -> Action:
        """The action that adds the row of a new asset."""
        return PutNew(table=self.table, key={"asset_id": asset.asset_id}, row=asset.row(), absent=_NEW)

    def take_name(self, asset: AssetRecord) -> Action:
        """The action that reserves a free name for the asset; NAME_FREE is its condition."""
        guard = {"refers_to": asset.asset_id}
        return PutNew(table=self.table, key={"asset_id": asset.guard_id}, row=guard, absent=NAME_FREE)

    def release_name(self, asset: AssetRecord) -> Action:
        """The action that frees the asset's name."""
        holder = Condition(_HOLDER, "refers_to = :this")
        key = {"asset_id": asset.guard_id}
        return Delete(table=self.table, key=key, values={":this": asset.asset_id}, condition=holder)

    def pass_name(self, old: AssetRecord, new: AssetRecord) -> Action:
        """The action that transfers a name from one asset to another."""
        return Update(
            table=self.table,
            key={"asset_id": old.guard_id},
            expression="SET refers_to = :new",
            values={":new": new.asset_id, ":old": old.asset_id},
            condition=Condition(_HOLDER, "refers_to = :old"),
        )

    def holder_of_name(self, asset: AssetRecord) -> AssetRecord | None:
        """The asset that currently has this one's type and name."""
        guard = self.client.get_item(
            TableName=self.table, Key=to_item({"asset_id": asset.guard_id}), ConsistentRead=True
        ).get("Item")
        return None if guard is None else self._get(str(from_item(guard)["refers_to"]))

    def write(self, *actions: Action) -> frozenset[str]:
        """Do all actions or none: `transact` with this table's client."""
        return transact(self.client, actions)

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

    def _batch(self, asset_ids: Sequence[str]) -> list[dict[str, Any]]:
        keys = {self.table: [{"asset_id": asset_id} for asset_id in asset_ids]}
        return read_rows(self.client, keys, consistent=True)[self.table]

    def _every(self, asset_type: AssetType) -> Iterator[AssetRecord]:
        return self._query("type-name", "type", asset_type.value)

    def _query(self, index: str, attribute: str, value: str) -> Iterator[AssetRecord]:
        pages = self.client.get_paginator("query").paginate(
            TableName=self.table,
            IndexName=index,
            KeyConditionExpression="#attribute = :value",
            ExpressionAttributeNames={"#attribute": attribute},
            ExpressionAttributeValues=to_item({":value": value}),
        )
        for page in pages:
            yield from (AssetRecord.from_row(from_item(item)) for item in page["Items"])

    def _page_of_all(self, *, after: Mapping[str, str] | None, size: int) -> list[AssetRecord]:
        start: Any = {}
        if after is not None:
            key = {"asset_id": after["asset_id"], "listed": "1", "type_name": f"{after['type']}#{after['name']}"}
            start = {"ExclusiveStartKey": to_item(key)}
        answer = self.client.query(
            TableName=self.table,
            IndexName="listed-type_name",
            KeyConditionExpression="listed = :one",
            ExpressionAttributeValues=to_item({":one": "1"}),
            Limit=size,
            **start,
        )
        return [AssetRecord.from_row(from_item(item)) for item in answer["Items"]]
