"""Conditional writes of an asset's row, with what its owner's files count."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from botocore.exceptions import ClientError

from generate_on_cloud.contract.assets import AssetStatus
from lambdas.assets.charged_bytes import ROOM, AssetBytes, exceeded
from lambdas.assets.record import AssetRecord
from lambdas.assets.store import AssetStore
from lambdas.aws.errors import CONDITION_FAILED, error_code
from lambdas.aws.rows import Action, Condition, Update
from lambdas.problems import ProblemError

AS_EXPECTED = "the asset as it was read"
_RACES = 5


@dataclass(frozen=True)
class RowWrites:
    store: AssetStore
    owned: AssetBytes

    def _counted(self, asset: AssetRecord) -> list[Action]:
        return self.owned.change(asset.owner, asset.charged or 0, allowed=asset.bytes_allowed)

    def _too_much(self, asset: AssetRecord, more: int) -> ProblemError:
        used = self.owned.of(asset.owner)
        return exceeded(asset.owner, more, allowed=asset.bytes_allowed or 0, used=used)

    def _recharge(
        self,
        asset: AssetRecord,
        values: Mapping[str, object],
        *,
        allowed: Collection[AssetStatus],
        charge: int | None,
        also: Callable[[AssetRecord], Action] | None = None,
        condition: tuple[str, Mapping[str, object]] | None = None,
    ) -> bool:
        """Set the values; afterwards the asset counts `charge` bytes (None: nothing any more).

        Exactly what the row counts is returned in the same transaction: if the row counts something else than `asset`,
        it is read again.

        Raises:
            ProblemError: `quota_exceeded`.
        """
        for _ in range(_RACES):
            recharged = asset.recharged(charge)
            more = (recharged.charged or 0) - (asset.charged or 0)
            counts = self.owned.change(asset.owner, more, allowed=asset.bytes_allowed)
            if recharged == asset:
                request = self._request(asset, values, allowed=allowed)
            else:
                request = self._request(asset, {**values, "charged": charge}, allowed=allowed)
                request = requiring(request, "#charged = :counted", {":counted": asset.charged})
            if condition is not None:
                request = requiring(request, *condition)
            others = [*([also(asset)] if also is not None else []), *counts]
            if not others:
                return self._sent(request)
            refused = self.store.write(request, *others)
            if not refused:
                return True
            if refused == {ROOM} and asset.bytes_allowed is not None:
                raise exceeded(asset.owner, more, allowed=asset.bytes_allowed)
            current = self.store.get(asset.asset_id)
            if current is None or current.charged == asset.charged:
                return False
            asset = current
        return False

    def _update(
        self,
        asset: AssetRecord,
        values: Mapping[str, object],
        *,
        allowed: Collection[AssetStatus],
    ) -> bool:
        return self._sent(self._request(asset, values, allowed=allowed))

    def _request(self, asset: AssetRecord, values: Mapping[str, object], *, allowed: Collection[AssetStatus]) -> Update:
        """Set the values and remove those that are None, if the status is one of `allowed`."""
        kept = {name: value for name, value in values.items() if value is not None}
        gone = [name for name in values if name not in kept]
        statuses: dict[str, object] = {f":status{index}": each.value for index, each in enumerate(sorted(allowed))}
        expression = "SET " + ", ".join(f"#{name} = :{name}" for name in kept)
        if gone:
            expression += " REMOVE " + ", ".join(f"#{name}" for name in gone)
        return Update(
            table=self.store.table,
            key={"asset_id": asset.asset_id},
            expression=expression,
            values={f":{name}": value for name, value in kept.items()} | statuses,
            condition=Condition(AS_EXPECTED, f"#status IN ({', '.join(statuses)})"),
            names=(*values, "status"),
        )

    def _sent(self, update: Update) -> bool:
        request: Any = update.request()
        try:
            self.store.client.update_item(**request)
        except ClientError as error:
            if error_code(error) != CONDITION_FAILED:
                raise
            return False
        return True


def requiring(update: Update, condition: str, values: Mapping[str, object]) -> Update:
    """The update with one more condition."""
    before = update.condition.expression if update.condition else ""
    both = Condition(AS_EXPECTED, f"{before} AND {condition}")
    return replace(update, condition=both, values={**update.values, **values})
