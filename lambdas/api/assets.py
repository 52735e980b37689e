"""Routes for assets."""

from dataclasses import replace

from pydantic import Field

from generate_on_cloud.contract.access import Permission
from generate_on_cloud.contract.asset_bodies import (
    AssetHashes,
    AssetPage,
    AssetView,
    ChangeAsset,
    CompleteAsset,
    CreateAsset,
    ResumeImport,
    SignedParts,
    SignParts,
)
from generate_on_cloud.contract.assets import AssetStatus, AssetType, PredictionType, asset_type_named
from generate_on_cloud.contract.errors import FieldError, ProblemCode
from lambdas.api.routes import Query, Routes, UserCall
from lambdas.assets.declarations import check_new_name, check_prediction, type_message
from lambdas.assets.record import AssetRecord
from lambdas.assets.store import is_for
from lambdas.problems import ProblemError, invalid

ROUTES = Routes()
_OF_ANOTHER = (ProblemCode.FORBIDDEN, ProblemCode.ASSET_NOT_FOUND)
SHORT_HASH = 10
"""Digits of the hash that WebUI shows next to a checkpoint."""


class AssetsQuery(Query):
    type: str | None = None
    """An asset type, or WebUI's folder name for it."""
    limit: int = Field(default=50, ge=1, le=100)
    cursor: str | None = None
    size: int | None = Field(default=None, gt=0)
    """Bytes; only files of this size."""
    deleted: bool = False
    """true: the deleted files that the caller can restore, instead of those they may use."""


@ROUTES.add(
    "POST",
    "/v1/assets",
    status=201,
    problems=(ProblemCode.ASSET_EXISTS, ProblemCode.QUOTA_EXCEEDED),
    permission=Permission.ASSET_CREATE,
)
def create_asset(call: UserCall, body: CreateAsset) -> AssetView:
    """Start or resume the upload of a model file, or import it from a URL."""
    now = call.services.clock.now()
    asset = call.services.uploads.begin(body, owner=call.caller, now=now)
    if asset.created_at == now:
        call.log_change("asset.created", asset.asset_id, {"type": asset.type, "name": asset.name})
    return _with_upload(call, asset, is_new=asset.created_at == now)


@ROUTES.add("GET", "/v1/assets", problems=(ProblemCode.INVALID_CURSOR,), permission=Permission.ASSET_LIST)
def list_assets(call: UserCall, query: AssetsQuery) -> AssetPage:
    """List the model files the caller may use, or the deleted ones they can restore, by type and name."""
    asset_type: AssetType | None = None

    def shown(asset: AssetRecord) -> bool:
        return _is_restorable(call, asset) if query.deleted else is_for(asset, call.caller)

    if query.type is not None:
        asset_type = asset_type_named(query.type)
        if asset_type is None:
            raise invalid([FieldError(pointer="query:type", message=type_message(query.type))])
    assets, next_cursor = call.services.assets.page(
        asset_type,
        limit=query.limit,
        cursor=query.cursor,
        signer=call.services.pages.signer,
        takes=lambda asset: query.size in (None, asset.size) and shown(asset),
    )
    return AssetPage(assets=[_view(call, asset) for asset in assets], next_cursor=next_cursor)


@ROUTES.add("GET", "/v1/assets/by-hash/{sha256}", permission=Permission.ASSET_LIST)
def find_assets(call: UserCall, sha256: str) -> AssetPage:
    """List active model files with these bytes that the caller may use and so need not upload again."""
    if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
        message = "received a value that is not a SHA-256; allowed: 64 lower-case hex digits"
        raise invalid([FieldError(pointer="path:sha256", message=message)])
    found = call.services.assets.with_hash(sha256)
    return AssetPage(assets=[_view(call, asset) for asset in found if is_for(asset, call.caller)], next_cursor=None)


@ROUTES.add("GET", "/v1/assets/{asset_id}", problems=(ProblemCode.ASSET_NOT_FOUND,), permission=Permission.ASSET_LIST)
def get_asset(call: UserCall, asset_id: str) -> AssetView:
    """Get a model file; the owner of an unfinished upload sees which parts are stored and new URLs for the others."""
    return _with_upload(call, _asset(call, asset_id))


@ROUTES.add(
    "POST",
    "/v1/assets/{asset_id}/parts",
    problems=(*_OF_ANOTHER, ProblemCode.UPLOAD_INCOMPLETE),
    permission=Permission.ASSET_CREATE,
)
def sign_parts(call: UserCall, asset_id: str, body: SignParts) -> SignedParts:
    """Sign upload URLs for parts whose SHA-256 storage checks; for an upload with a `checksum_algorithm`."""
    return call.services.uploads.storage.sign(_own(call, asset_id), body.parts, now=call.services.clock.now())


@ROUTES.add(
    "POST",
    "/v1/assets/{asset_id}/complete",
    problems=(*_OF_ANOTHER, ProblemCode.UPLOAD_INCOMPLETE, ProblemCode.UPLOAD_MISMATCH),
    permission=Permission.ASSET_CREATE,
)
def complete_asset(call: UserCall, asset_id: str, body: CompleteAsset) -> AssetView:
    """Complete an upload: join the parts into one file and inspect it; a small file is active in the answer."""
    asset = _own(call, asset_id)
    completed = call.services.uploads.complete(asset, body, now=call.services.clock.now())
    call.log_change("asset.completed", asset_id, {"name": asset.name, "status": completed.status})
    return _view(call, completed)


@ROUTES.add(
    "POST",
    "/v1/assets/{asset_id}/pause",
    problems=(*_OF_ANOTHER, ProblemCode.ASSET_STATE_CONFLICT),
    permission=Permission.ASSET_CREATE,
)
def pause_import(call: UserCall, asset_id: str) -> AssetView:
    """Pause an import: it stops after the part in progress and keeps what it has."""
    paused = call.services.uploads.pause(_own(call, asset_id))
    call.log_change("asset.paused", asset_id, {"name": paused.name})
    return _view(call, paused)


@ROUTES.add(
    "POST",
    "/v1/assets/{asset_id}/resume",
    problems=(*_OF_ANOTHER, ProblemCode.ASSET_STATE_CONFLICT),
    permission=Permission.ASSET_CREATE,
)
def resume_import(call: UserCall, asset_id: str, body: ResumeImport) -> AssetView:
    """Resume a paused import, from the same source."""
    resumed = call.services.uploads.resume(_own(call, asset_id), body, now=call.services.clock.now())
    call.log_change("asset.resumed", asset_id, {"name": resumed.name})
    return _view(call, resumed)


@ROUTES.add(
    "PATCH",
    "/v1/assets/{asset_id}",
    problems=(*_OF_ANOTHER, ProblemCode.ASSET_EXISTS, ProblemCode.ASSET_NOT_ACTIVE),
    permission=Permission.ASSET_CREATE,
)
def change_asset(call: UserCall, asset_id: str, body: ChangeAsset) -> AssetView:
    """Rename, describe or tag a model file, change who may use it, its trigger words, its picture, or what a checkpoint
    predicts."""
    asset = _own(call, asset_id)
    if asset.status is not AssetStatus.ACTIVE:
        raise ProblemError(ProblemCode.ASSET_NOT_ACTIVE, f"{asset.name!r} is {asset.status}; allowed: an active asset.")
    if body.name is not None:
        check_new_name(body.name, old=asset.name, asset_type=asset.type)
    if body.prediction_type is not None:
        check_prediction(body.prediction_type, asset_type=asset.type)
    with call.services.asset_pictures.changed(asset, body.picture) as pictured:
        changed = _changed(pictured, body, vouches=call.caller.may(Permission.ASSET_ALL))
        if not call.services.uploads.transitions.change(asset, changed):
            message = f"A {asset.type} named {changed.name!r} already exists, or {asset.name!r} was changed meanwhile."
            raise ProblemError(ProblemCode.ASSET_EXISTS, message)
    said = body.model_dump(exclude_none=True, exclude={"picture"})
    call.log_change("asset.changed", asset_id, said if body.picture is None else {**said, "picture": changed.picture})
    return _view(call, changed)


def _changed(asset: AssetRecord, body: ChangeAsset, *, vouches: bool) -> AssetRecord:
    return replace(
        asset,
        # Under another name it would act on other jobs than those it was trusted for.
        trusted=vouches or (asset.trusted and body.name is None),
        name=asset.name if body.name is None else body.name,
        description=asset.description if body.description is None else body.description,
        tags=asset.tags if body.tags is None else tuple(dict.fromkeys(body.tags)),
        users=asset.users if body.users is None else tuple(dict.fromkeys(body.users)),
        roles=asset.roles if body.roles is None else tuple(dict.fromkeys(body.roles)),
        prediction_type=_prediction(asset, body),
        facts=asset.facts
        if body.trained_words is None
        else replace(asset.facts, trained_words=tuple(dict.fromkeys(body.trained_words))),
    )


@ROUTES.add(
    "DELETE",
    "/v1/assets/{asset_id}",
    problems=(*_OF_ANOTHER, ProblemCode.ASSET_IN_USE, ProblemCode.ASSET_NOT_ACTIVE),
    permission=Permission.ASSET_CREATE,
)
def delete_asset(call: UserCall, asset_id: str) -> AssetView:
    """Delete a model file, or cancel its upload or import; see `deleted_until` for whether it can be restored."""
    removed = call.services.removal.remove(_own(call, asset_id), now=call.services.clock.now())
    call.log_change("asset.deleted", asset_id, {"name": removed.name})
    return _view(call, removed)


@ROUTES.add(
    "POST",
    "/v1/assets/{asset_id}/restore",
    problems=(*_OF_ANOTHER, ProblemCode.ASSET_EXISTS, ProblemCode.QUOTA_EXCEEDED),
    permission=Permission.ASSET_CREATE,
)
def restore_asset(call: UserCall, asset_id: str) -> AssetView:
    """Make a deleted model file active again, under its name."""
    asset = call.services.assets.get(asset_id)
    if asset is None or not _is_restorable(call, asset):
        asset = _own(call, asset_id)
    restored = call.services.removal.restore(asset, caller=call.caller, now=call.services.clock.now())
    if asset.status is not restored.status:
        call.log_change("asset.restored", asset_id, {"name": restored.name})
    return _view(call, restored)


def _is_restorable(call: UserCall, asset: AssetRecord) -> bool:
    """Whether it is deleted and belongs to the caller, or they may change everybody's."""
    return asset.status is AssetStatus.DELETED and call.caller.may_see(asset.owner, Permission.ASSET_ALL)


def _prediction(asset: AssetRecord, body: ChangeAsset) -> PredictionType | None:
    if body.prediction_type is None:
        return asset.prediction_type
    return None if body.prediction_type == "automatic" else body.prediction_type


def _asset(call: UserCall, asset_id: str) -> AssetRecord:
    asset = call.services.assets.get(asset_id)
    if asset is None or not is_for(asset, call.caller):
        raise ProblemError(
            ProblemCode.ASSET_NOT_FOUND, f"The asset {asset_id[:100]!r} does not exist{call.caller.listed_files}."
        )
    return asset


def _own(call: UserCall, asset_id: str) -> AssetRecord:
    asset = _asset(call, asset_id)
    if not call.caller.may_see(asset.owner, Permission.ASSET_ALL):
        detail = f"{asset.name!r} belongs to another user; this needs the permission {Permission.ASSET_ALL}."
        raise ProblemError(ProblemCode.FORBIDDEN, detail)
    return asset


def _with_upload(call: UserCall, asset: AssetRecord, *, is_new: bool = False) -> AssetView:
    view = _view(call, asset)
    if asset.status is AssetStatus.UPLOADING and call.caller.may_see(asset.owner, Permission.ASSET_ALL):
        view.upload = call.services.uploads.storage.view(asset, is_new=is_new, now=call.services.clock.now())
    return view


def _view(call: UserCall, asset: AssetRecord) -> AssetView:
    facts, hashes = asset.facts, None
    if asset.status is AssetStatus.ACTIVE and asset.sha256 is not None:
        hashes = AssetHashes(sha256=asset.sha256, short=asset.sha256[:SHORT_HASH], autov3=facts.autov3)
    return AssetView(
        asset_id=asset.asset_id,
        type=asset.type,
        name=asset.name,
        size=asset.size,
        sha256=asset.sha256,
        status=asset.status,
        created_at=asset.created_at,
        deleted_until=asset.deleted_until,
        error=asset.error,
        owner=asset.owner,
        description=asset.description,
        tags=list(asset.tags),
        users=list(asset.users),
        roles=list(asset.roles),
        received=asset.received if asset.status is AssetStatus.IMPORTING else None,
        paused=asset.paused,
        source=asset.source,
        architecture=facts.architecture,
        prediction_type=asset.prediction_type or facts.prediction_type,
        native_width=facts.native_size[0] if facts.native_size else None,
        native_height=facts.native_size[1] if facts.native_size else None,
        network_kind=facts.network_kind,
        rank=facts.rank,
        trained_words=list(facts.trained_words),
        alias=facts.alias,
        hashes=hashes,
        picture_url=call.services.asset_pictures.url(asset, now=call.services.clock.now()),
    )
