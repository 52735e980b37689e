"""Who may do what: the permissions, the built-in roles, and what a quota can limit.

A permission is `resource:action`. `list` reads (jobs: only one's own), `create` creates and changes one's own, and
`all` allows both for everyone's.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict, Field

ADMIN = "admin"
ARTIST = "artist"


class Permission(StrEnum):
    ROLE_CREATE = "role:create"
    ROLE_LIST = "role:list"
    ROLE_ALL = "role:all"
    USER_CREATE = "user:create"
    USER_LIST = "user:list"
    USER_ALL = "user:all"
    ENDPOINT_CREATE = "endpoint:create"
    ENDPOINT_LIST = "endpoint:list"
    ENDPOINT_ALL = "endpoint:all"
    INFERENCE_CREATE = "inference:create"
    INFERENCE_LIST = "inference:list"
    INFERENCE_ALL = "inference:all"
    ASSET_CREATE = "asset:create"
    ASSET_LIST = "asset:list"
    ASSET_ALL = "asset:all"

    @property
    def whole(self) -> "Permission":
        """The permission for everything of the same resource, whoever owns it."""
        return Permission(f"{self.partition(':')[0]}:all")


BUILT_IN_ROLES: Mapping[str, frozenset[Permission]] = MappingProxyType(
    {
        ADMIN: frozenset(Permission),
        ARTIST: frozenset(
            {
                Permission.INFERENCE_CREATE,
                Permission.INFERENCE_LIST,
                Permission.ASSET_CREATE,
                Permission.ASSET_LIST,
                Permission.ENDPOINT_LIST,
            }
        ),
    }
)
"""Roles that every deployment has; they cannot be changed or deleted."""


def allows(held: Iterable[Permission], wanted: Permission) -> bool:
    """Whether holding `held` allows `wanted`."""
    return not {wanted, wanted.whole}.isdisjoint(held)


def not_held(held: Iterable[Permission], wanted: Iterable[Permission]) -> list[Permission]:
    """The permissions in `wanted` that `held` does not allow, in the order of the table."""
    held, asked = frozenset(held), frozenset(wanted)
    return [permission for permission in Permission if permission in asked and not allows(held, permission)]


class Quotas(BaseModel):
    """Limits on what a user may use; None: no limit. Days and months are in UTC."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    jobs_per_day: int | None = Field(default=None, ge=0, le=10**12)
    concurrent_jobs: int | None = Field(default=None, ge=0, le=10**12)
    """Open jobs."""
    megapixel_steps_per_day: int | None = Field(default=None, ge=0, le=10**12)
    """Width x height / 10^6 x steps x pictures, summed over jobs; tasks without steps count nothing."""
    jobs_per_month: int | None = Field(default=None, ge=0, le=10**12)
    megapixel_steps_per_month: int | None = Field(default=None, ge=0, le=10**12)
    usd_per_month: int | None = Field(default=None, ge=0, le=10**12)
    """US dollars of GPU time at the deployment's price, counted when a job ends."""
    asset_bytes: int | None = Field(default=None, ge=0, le=10**15)
    """Bytes of all model files that the user owns, including unfinished uploads."""

    def within(self, wider: "Quotas") -> "Quotas":
        """These limits, with those of `wider` where unset."""
        return Quotas(**{**wider.model_dump(exclude_none=True), **self.model_dump(exclude_none=True)})

    @property
    def limited(self) -> bool:
        """Whether any of these limits jobs."""
        return any(limit is not None for limit in self.model_dump(exclude={"asset_bytes"}).values())

    @property
    def monthly(self) -> bool:
        """Whether any of these limits a month."""
        return any(
            limit is not None for limit in (self.jobs_per_month, self.megapixel_steps_per_month, self.usd_per_month)
        )
