"""Work on assets that may outlast a request: small files at once, everything else in separate functions."""

import json
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from generate_on_cloud.contract.errors import ProblemCode
from lambdas.assets.inspection import Inspection
from lambdas.assets.record import AssetRecord
from lambdas.aws.clients import FunctionsClient
from lambdas.problems import ProblemError

AT_ONCE = 128 * 1024**2
"""Bytes that are inspected within the request; this takes two or three seconds."""


class ImportOrder(BaseModel):
    """Input of the import function; the token is only here, never in a table or a log."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    asset_id: str
    url: str = Field(repr=False)
    token: str | None = Field(default=None, repr=False)
    before: str | None = None
    """The run that this one continues."""
    number: int = 1
    """Of this run; the run that continues it has the next one."""


class InspectionOrder(BaseModel):
    """Input of the inspection function; None: look for interrupted work."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    asset_id: str | None = None


@dataclass(frozen=True)
class AssetWork:
    inspection: Inspection
    client: FunctionsClient
    inspection_function: str
    import_function: str

    def start_inspection(self, asset: AssetRecord) -> AssetRecord:
        """Inspect an `inspecting` asset: afterwards it is active or failed, or still `inspecting` if it is large.

        Raises:
            ProblemError: `asset_not_found` if it was deleted meanwhile.
        """
        if asset.size > AT_ONCE:
            self._call(self.inspection_function, InspectionOrder(asset_id=asset.asset_id))
            return asset
        inspected = self.inspection.run(asset)
        if inspected is None:
            raise _deleted(asset)
        return inspected

    def restart_inspection(self, asset: AssetRecord) -> AssetRecord:
        """Inspect an asset whose inspection was lost; after too many runs it fails instead.

        Raises:
            ProblemError: `asset_not_found` if it was deleted meanwhile.
        """
        begun = self.inspection.begin_again(asset)
        if begun is not None:
            return self.start_inspection(begun)
        current = self.inspection.transitions.store.get(asset.asset_id)
        if current is None:
            raise _deleted(asset)
        return current

    def fetch(self, asset_id: str, *, url: str, token: str | None) -> None:
        """Start an import."""
        self._call(self.import_function, ImportOrder(asset_id=asset_id, url=url, token=token))

    def fetch_on(self, order: ImportOrder, *, before: str) -> None:
        """Continue an import in another run, after the run `before` of this order."""
        following = order.model_copy(update={"before": before, "number": order.number + 1})
        self._call(self.import_function, following)

    def _call(self, function: str, order: BaseModel) -> None:
        payload = json.dumps(order.model_dump(exclude_none=True)).encode()
        self.client.invoke(FunctionName=function, InvocationType="Event", Payload=payload)


def _deleted(asset: AssetRecord) -> ProblemError:
    return ProblemError(ProblemCode.ASSET_NOT_FOUND, f"The asset {asset.name!r} was deleted meanwhile.")
