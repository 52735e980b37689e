"""Bodies of the REST API about users, roles, keys and usage."""

import unicodedata
from datetime import date, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints

from generate_on_cloud.contract.access import Permission, Quotas
from generate_on_cloud.contract.assets import AssetType, asset_type_named
from generate_on_cloud.contract.bodies import Body, View

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}$"
"""Names of users and roles; they may be e-mail addresses and never contain separators of keys or paths."""

Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]


MAX_TRUSTED = 100
"""Users that one may trust."""

MAX_LISTED = 100
"""Entries of a role's list of files."""
OF_TYPE = "type:"
OF_TAG = "tag:"

Label = Annotated[str, StringConstraints(max_length=100, pattern=r"^[^\x00-\x1f\x7f\u2028\u2029]*$")]
"""What a person calls a key."""

DefaultEndpoint = Annotated[str, StringConstraints(min_length=1, max_length=63)]
"""Name of an endpoint, with or without the stage's prefix."""


class PutUser(Body):
    """`PUT /v1/users/{name}`: replaces the role and the quotas; quotas that are not given are taken away."""

    role: Name
    quotas: Quotas = Quotas()
    """Limits for this user; where unset, those of the role apply."""
    default_endpoint: DefaultEndpoint | None = None
    """Where the user's jobs go that name no endpoint; null: to the least loaded. Omitted, it stays as it is."""


class PatchUser(Body):
    """`PATCH /v1/users/{name}`: changes what is given and leaves the rest as it is."""

    null_counts = True

    role: Name | None = None
    """null: as it is."""
    quotas: Quotas | None = None
    """Limits to change, each for itself: a number sets one, null removes it, and those not given stay."""
    default_endpoint: DefaultEndpoint | None = None
    """Where the user's jobs go that name no endpoint; null: to the least loaded."""
    disabled: bool | None = None
    """true: the user's keys and sessions are refused within a minute, until it is false again; null: as it is."""


class CreateUser(PutUser):
    """`POST /v1/users`"""

    name: Name


class UserView(View):
    name: str
    role: str
    quotas: Quotas
    created_at: datetime
    created_by: str
    keys: int
    """Number of keys and sessions."""
    disabled: bool = False
    """Whether the user's keys are refused."""
    default_endpoint: str | None = None
    """Where the user's jobs go that name no endpoint; None: to the least loaded."""


class UserPage(View):
    users: list[UserView]
    next_cursor: str | None


def _listed(entry: str) -> str:
    """An entry of a role's list of files, as it is compared: composed (Unicode's NFC), types by their own names."""
    entry = unicodedata.normalize("NFC", entry)
    if not entry.startswith(OF_TYPE):
        return entry
    asset_type = asset_type_named(entry.removeprefix(OF_TYPE))
    if asset_type is None:
        raise ValueError(f"received {entry!r}; allowed: {', '.join(f'{OF_TYPE}{one}' for one in AssetType)}")
    return f"{OF_TYPE}{asset_type}"


ListedFile = Annotated[str, AfterValidator(_listed), Field(min_length=1, max_length=200)]
"""Model files that a role lists: an asset's id, its file name with or without extension, `tag:NAME` or `type:TYPE`."""


class PutRole(Body):
    """`PUT /v1/roles/{name}`: replaces the permissions and the quotas, and the list of files if it is given."""

    null_counts = True

    permissions: list[Permission] = Field(max_length=len(Permission))
    quotas: Quotas = Quotas()
    """Limits for each user with this role."""
    assets: list[ListedFile] | None = Field(default=None, max_length=MAX_LISTED)
    """The model files that its users may use besides their own, each by id, by name, or with others as `tag:NAME` or
    `type:TYPE`; null: all that are for them. Omitted, it stays as it is."""


class CreateRole(PutRole):
    """`POST /v1/roles`"""

    name: Name


class RoleView(View):
    name: str
    permissions: list[Permission]
    quotas: Quotas
    assets: list[str] | None = None
    """The model files that its users may use besides their own; null: all that are for them."""
    built_in: bool
    created_at: datetime | None = None
    created_by: str | None = None


class RolePage(View):
    roles: list[RoleView]
    next_cursor: str | None


class CreateKey(Body):
    """`POST /v1/keys`"""

    user: Name | None = None
    """The key's owner; None: the caller."""
    label: Label = ""
    permissions: list[Permission] | None = Field(default=None, max_length=len(Permission))
    """None: everything the user's role allows, now and later."""
    expires_at: AwareDatetime | None = None
    """With a time zone; rounded up to whole seconds."""


class KeyView(View):
    key_id: str
    """SHA-256 of the key in hex."""
    user: str
    label: str
    permissions: list[Permission] | None
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    session: bool = False
    """Whether it was given out by `POST /v1/sessions`."""


class CreatedKey(KeyView):
    key: str
    """The key itself, shown only in this answer."""


class KeyList(View):
    keys: list[KeyView]


class RevokedKey(View):
    key_id: str
    effective_within_seconds: int


class Removed(View):
    """What was deleted."""

    name: str


class QuotaUseView(View):
    """One quota: what is used and what is left."""

    quota: str
    """Its name in `Quotas`."""
    limit: int
    used: float
    left: float
    resets_at: datetime | None
    """When `used` is 0 again; null: whenever jobs end or files are deleted."""


class MeView(View):
    """`GET /v1/me`"""

    user: str
    role: str
    permissions: list[Permission]
    """What this key may do."""
    quotas: Quotas
    key_id: str
    key_expires_at: datetime | None
    default_endpoint: str | None = None
    """Where jobs go that name no endpoint; None: to the least loaded."""
    trusted: list[str] = Field(default=[])
    """Users whose model files may act on the caller's jobs without being named."""
    session: bool = False
    """Whether the key is a session's."""
    assets: list[str] | None = None
    """The model files that the role lets its users use besides their own; null: all that are for them."""
    quota_use: list[QuotaUseView] = Field(default=[])
    """Every quota that is set, in `GET /v1/me`."""


class PatchMe(Body):
    """`PATCH /v1/me`"""

    default_endpoint: DefaultEndpoint | None = None
    """Where jobs go that name no endpoint; null: to the least loaded. Stays as it is where only `trusted` is sent."""
    trusted: list[Name] | None = Field(default=None, max_length=MAX_TRUSTED)
    """Users whose embeddings, styles, VAEs and interrogators may act on the caller's jobs without being named, besides
    the caller's own and an administrator's; null: as before."""


class RotateSecret(Body):
    """`POST /v1/me/webhook-secret`"""

    may_be_absent = True

    keep_previous: bool = True
    """Also sign with the previous secret, until the next rotation."""


class WebhookSecret(View):
    secret: str
    """`whsec_…`, shown only in this answer."""
    previous_valid: bool


class UsageDay(View):
    """Totals of one user's jobs that finished on one day (UTC)."""

    user: str
    day: date
    jobs: int
    succeeded: int
    failed: int
    canceled: int
    expired: int
    gpu_seconds: float
    """Seconds for which workers had the jobs."""
    cost: float | None
    """`gpu_seconds` at the price of each endpoint's GPU; None when the deployment does not know any of them."""


class UsageGroup(View):
    """Totals of a month's finished jobs that have something in common."""

    key: str
    """The day, user, endpoint or checkpoint; empty: jobs without a checkpoint, or days that did not count it yet."""
    jobs: int
    gpu_seconds: float
    cost: float | None
    """At the price of each endpoint's GPU; None if none of them is known."""


class UsagePage(View):
    """`GET /v1/usage`: by day, then by user."""

    days: list[UsageDay]
    """Empty if groups were asked for."""
    groups: list[UsageGroup] = Field(default=[])
    """With `by`: the largest cost first, days in their order. If there is a `next_cursor`, the next page has more of
    the same groups: add them up."""
    price_per_hour: float | None
    """US dollars per instance-hour."""
    asset_bytes: int | None = None
    """Bytes of the model files the user owns now, including unfinished uploads; None when asked for everyone."""
    next_cursor: str | None
