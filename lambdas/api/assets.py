"""Routes of assets."""

from pydantic import Field

from inference_container.contract.access import Permission
from inference_container.contract.api import AssetPage, AssetView, CompleteAsset, CreateAsset
from inference_container.contract.assets import ASSET_TYPES, AssetType, asset_type_named
from inference_container.contract.errors import FieldError, ProblemCode
from lambdas.api.routes import Query, Routes, UserCall
from lambdas.assets import AssetRecord
from lambdas.problems import ProblemError, invalid, shortened

ROUTES = Routes()


class AssetsQuery(Query):
    type: str | None = None
    """An asset type, or WebUI's folder name for it."""
    limit: int = Field(default=50, ge=1, le=100)
    cursor: str | None = None


@ROUTES.add("POST", "/v1/assets", status=201, problems=(ProblemCode.ASSET_EXISTS,), permission=Permission.ASSET_CREATE)
def create_asset(call: UserCall, body: CreateAsset) -> AssetView:
    """Begin the upload of a model file; the answer holds a presigned URL for each part."""
    now = call.services.now()
    asset = call.services.uploads.begin(body, owner=call.caller.user, now=now)
    view = _view(asset)
    view.upload = call.services.uploads.view(asset, now=now)
    return view


@ROUTES.add("GET", "/v1/assets", problems=(ProblemCode.INVALID_CURSOR,), permission=Permission.ASSET_LIST)
def list_assets(call: UserCall, query: AssetsQuery) -> AssetPage:
    """Model files of all users, by type and name."""
    types = tuple(AssetType)
    if query.type is not None:
        asset_type = asset_type_named(query.type)
        if asset_type is None:
            names = ", ".join(f"{kind} ({rule.webui_folder})" for kind, rule in ASSET_TYPES.items())
            message = f"received {shortened(query.type)!r}; allowed: {names}"
            raise invalid([FieldError(pointer="query:type", message=message)])
        types = (asset_type,)
    assets, next_cursor = call.services.assets.page(types, limit=query.limit, cursor=query.cursor)
    return AssetPage(assets=[_view(asset) for asset in assets], next_cursor=next_cursor)


@ROUTES.add("GET", "/v1/assets/{asset_id}", problems=(ProblemCode.ASSET_NOT_FOUND,), permission=Permission.ASSET_LIST)
def get_asset(call: UserCall, asset_id: str) -> AssetView:
    """One model file."""
    return _view(_asset(call, asset_id))


@ROUTES.add(
    "POST",
    "/v1/assets/{asset_id}/complete",
    problems=(
        ProblemCode.ASSET_NOT_FOUND,
        ProblemCode.UPLOAD_INCOMPLETE,
        ProblemCode.UPLOAD_MISMATCH,
    ),
    permission=Permission.ASSET_CREATE,
)
def complete_asset(call: UserCall, asset_id: str, body: CompleteAsset) -> AssetView:
    """Finish an upload: the parts become one file of the declared size, and the asset is active."""
    asset = _asset(call, asset_id)
    if not call.caller.may_see(asset.owner, Permission.ASSET_ALL):
        detail = f"The upload of {asset.name!r} is another user's; that needs the permission {Permission.ASSET_ALL}."
        raise ProblemError(ProblemCode.FORBIDDEN, detail)
    return _view(call.services.uploads.complete(asset, body.parts))


def _asset(call: UserCall, asset_id: str) -> AssetRecord:
    asset = call.services.assets.get(asset_id)
    if asset is None:
        raise ProblemError(ProblemCode.ASSET_NOT_FOUND, f"There is no asset {asset_id[:100]!r}.")
    return asset


def _view(asset: AssetRecord) -> AssetView:
    return AssetView(
        asset_id=asset.asset_id,
        type=asset.type,
        name=asset.name,
        size=asset.size,
        sha256=asset.sha256,
        status=asset.status,
        created_at=asset.created_at,
        error=asset.error,
    )
