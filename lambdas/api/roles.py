"""Routes for roles."""

from dataclasses import replace

from pydantic import Field

from generate_on_cloud.contract.access import Permission
from generate_on_cloud.contract.accounts import OF_TAG, OF_TYPE, CreateRole, PutRole, Removed, RolePage, RoleView
from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.errors import FieldError, ProblemCode
from lambdas.access.roles import RoleRecord
from lambdas.access.table import overtaken
from lambdas.api.rights import require_no_stronger, require_within
from lambdas.api.routes import Query, Routes, UserCall
from lambdas.problems import ProblemError, invalid

ROUTES = Routes()


class RolesQuery(Query):
    limit: int = Field(default=50, ge=1, le=100)
    cursor: str | None = None


@ROUTES.add("POST", "/v1/roles", status=201, problems=(ProblemCode.NAME_TAKEN,), permission=Permission.ROLE_CREATE)
def create_role(call: UserCall, body: CreateRole) -> RoleView:
    """Create a role; it can only have permissions and model files that the caller has."""
    role = RoleRecord(
        name=body.name,
        permissions=frozenset(body.permissions),
        quotas=body.quotas,
        assets=None if body.assets is None else frozenset(body.assets),
        created_at=call.services.clock.now(),
        created_by=call.caller.user,
    )
    _check(call, role)
    call.services.roles.add(role, now=role.created_at or call.services.clock.now())
    call.log_change("role.created", role.name, _shown(body))
    return _view(role)


@ROUTES.add("GET", "/v1/roles", problems=(ProblemCode.INVALID_CURSOR,), permission=Permission.ROLE_LIST)
def list_roles(call: UserCall, query: RolesQuery) -> RolePage:
    """List roles by name, the built-in ones first (these do not count towards `limit`)."""
    roles, next_cursor = call.services.roles.page(
        limit=query.limit, cursor=query.cursor, signer=call.services.pages.signer
    )
    return RolePage(roles=[_view(role) for role in roles], next_cursor=next_cursor)


@ROUTES.add("GET", "/v1/roles/{name}", problems=(ProblemCode.NOT_FOUND,), permission=Permission.ROLE_LIST)
def get_role(call: UserCall, name: str) -> RoleView:
    """One role."""
    return _view(call.services.roles.require(name))


@ROUTES.add("PUT", "/v1/roles/{name}", problems=(ProblemCode.NOT_FOUND,), permission=Permission.ROLE_CREATE)
def put_role(call: UserCall, name: str, body: PutRole) -> RoleView:
    """Replace a role's permissions, quotas and list of files; its users' keys follow within a minute."""
    role = _changeable(call, name)
    new = replace(role, permissions=frozenset(body.permissions), quotas=body.quotas)
    if "assets" in body.model_fields_set:
        new = replace(new, assets=None if body.assets is None else frozenset(body.assets))
    _check(call, new, known=role.assets or frozenset())
    if not call.services.roles.change(role, new):
        raise overtaken()
    call.log_change("role.changed", name, _shown(body))
    return _view(call.services.roles.require(name))


@ROUTES.add(
    "DELETE",
    "/v1/roles/{name}",
    problems=(ProblemCode.NOT_FOUND, ProblemCode.ROLE_IN_USE),
    permission=Permission.ROLE_CREATE,
)
def delete_role(call: UserCall, name: str) -> Removed:
    """Delete a role that no user has."""
    call.services.roles.remove(_changeable(call, name))
    call.log_change("role.deleted", name)
    return Removed(name=name)


def _changeable(call: UserCall, name: str) -> RoleRecord:
    """The role, if the caller may change it: their own or any with `role:all`, not built in and no stronger."""
    role = call.services.roles.require(name)
    if role.built_in:
        raise ProblemError(ProblemCode.FORBIDDEN, f"The role {name!r} is built in and cannot be changed.")
    if role.created_by != call.caller.user:
        call.caller.require(Permission.ROLE_ALL)
    require_no_stronger(call.caller, role)
    return role


def _check(call: UserCall, role: RoleRecord, *, known: frozenset[str] = frozenset()) -> None:
    """Check that the caller may make such a role, and that its list of files, except those `known`, makes sense.

    Raises:
        ProblemError: `forbidden` or `invalid_params`.
    """
    require_no_stronger(call.caller, role)
    require_within(call.caller, role.quotas, what=f"The role {role.name!r}")
    if role.assets is not None and Permission.ASSET_ALL in role.permissions:
        message = (
            f"received a list of files and the permission {Permission.ASSET_ALL}, which covers every file; allowed: "
            "one of the two"
        )
        raise invalid([FieldError(pointer="/assets", message=message)])
    named = sorted(one for one in (role.assets or frozenset()) - known if not one.startswith((OF_TAG, OF_TYPE)))
    found = call.services.assets.find([(kind, one) for one in named for kind in AssetType], call.caller)
    unknown = [one for one in named if not any(found[kind, one] for kind in AssetType)]
    if unknown:
        message = (
            f"received {', '.join(map(repr, unknown))}, and no model file that you may use is called so; allowed: a "
            f"file's id, its name with or without extension, {OF_TAG}NAME, {OF_TYPE}TYPE"
        )
        raise invalid([FieldError(pointer="/assets", message=message)])


def _shown(body: PutRole) -> dict[str, object]:
    shown = {"permissions": sorted(body.permissions), "quotas": body.quotas.model_dump(exclude_none=True)}
    return {**shown, **body.model_dump(include={"assets"}, exclude_unset=True)}


def _view(role: RoleRecord) -> RoleView:
    return RoleView(
        name=role.name,
        permissions=sorted(role.permissions),
        quotas=role.quotas,
        assets=None if role.assets is None else sorted(role.assets),
        built_in=role.built_in,
        created_at=role.created_at,
        created_by=role.created_by,
    )
