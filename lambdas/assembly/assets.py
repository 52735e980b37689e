"""Assets, put together for functions that inspect or import them."""

from functools import cached_property
from typing import TypeVar

from lambdas.assembly.accounts import Accounts
from lambdas.assets.charged_bytes import AssetBytes
from lambdas.assets.inspection import Inspection
from lambdas.assets.store import AssetStore
from lambdas.assets.transitions import AssetTransitions
from lambdas.settings import AssetSettings

SettingsT = TypeVar("SettingsT", bound=AssetSettings)


class Assets(Accounts[SettingsT]):
    @cached_property
    def assets(self) -> AssetStore:
        return AssetStore(self.clients.dynamodb, self.settings.ASSETS_TABLE)

    @cached_property
    def asset_transitions(self) -> AssetTransitions:
        return AssetTransitions(self.assets, AssetBytes(self.access_table))

    @cached_property
    def inspection(self) -> Inspection:
        settings = self.settings
        return Inspection(
            self.asset_transitions,
            self.clients.s3,
            settings.ASSETS_BUCKET,
            noncommercial=settings.NONCOMMERCIAL_MODELS,
            now=self.clock.now,
        )
