"""Users, roles and usage, put together for functions that may read the access table."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Generic, TypeVar

from lambdas.access.keys import KeyStore
from lambdas.access.preferences import PreferenceStore
from lambdas.access.roles import RoleStore
from lambdas.access.session_codes import SessionCodes
from lambdas.access.table import AccessTable
from lambdas.access.usage import UsageStore
from lambdas.access.users import UserStore
from lambdas.aws.clients import Clients
from lambdas.clock import Clock
from lambdas.settings import AccountSettings

SettingsT = TypeVar("SettingsT", bound=AccountSettings)


@dataclass(frozen=True)
class Accounts(Generic[SettingsT]):
    clients: Clients
    settings: SettingsT
    clock: Clock = field(default_factory=Clock)

    @cached_property
    def access_table(self) -> AccessTable:
        return AccessTable(self.clients.dynamodb, self.settings.ACCESS_TABLE)

    @cached_property
    def roles(self) -> RoleStore:
        return RoleStore(self.access_table)

    @cached_property
    def users(self) -> UserStore:
        return UserStore(self.access_table, self.roles)

    @cached_property
    def keys(self) -> KeyStore:
        return KeyStore(self.users)

    @cached_property
    def session_codes(self) -> SessionCodes:
        return SessionCodes(self.access_table)

    @cached_property
    def preferences(self) -> PreferenceStore:
        return PreferenceStore(self.access_table)

    @cached_property
    def usage(self) -> UsageStore:
        return UsageStore(self.access_table)
