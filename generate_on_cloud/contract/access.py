"""Who may do what: the permissions, the roles that are built in, and what a quota can limit.

A permission is `resource:action`. `list` reads (of jobs: one's own), `create` makes and changes what is one's own,
`all` is both, for what belongs to anybody.
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
        """The permission for everything of the same resource, by anybody."""
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
"""Roles every deployment has; they cannot be changed or deleted."""


def allows(held: Iterable[Permission], wanted: Permission) -> bool:
    """Whether somebody who holds `held` may do `wanted`."""
    return not {wanted, wanted.whole}.isdisjoint(held)


def not_held(held: Iterable[Permission], wanted: Iterable[Permission]) -> list[Permission]:
    """Those of `wanted` that `held` does not allow, in the order of the table."""
    held, asked = frozenset(held), frozenset(wanted)
    return [permission for permission in Permission if permission in asked and not allows(held, permission)]


class Quotas(BaseModel):
    """What a user may use; None is no limit. Days are those of UTC."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    jobs_per_day: int | None = Field(default=None, ge=0, le=10**12)
    concurrent_jobs: int | None = Field(default=None, ge=0, le=10**12)
    """Jobs that have not ended."""
    megapixel_steps_per_day: int | None = Field(default=None, ge=0, le=10**12)
    """Width x height / 10^6 x steps x pictures, summed over jobs; those without steps count nothing."""
    asset_bytes: int | None = Field(default=None, ge=0, le=10**15)
    """Of all model files one owns, those on their way too."""

    def within(self, wider: "Quotas") -> "Quotas":
        """Each limit of these, or of `wider` where these say nothing."""
        return Quotas(**{**wider.model_dump(exclude_none=True), **self.model_dump(exclude_none=True)})

    @property
    def limited(self) -> bool:
        """Whether they bound jobs."""
        return any(limit is not None for limit in self.model_dump(exclude={"asset_bytes"}).values())
