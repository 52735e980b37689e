"""Scenarios of imports from a site on this machine."""

from functools import partial

from checks.grants.import_handler import site_folder
from checks.grants.scenarios.visit import LARGE, Visit
from tests.fetch.local_sites import Handler as SiteHandler
from tests.fetch.local_sites import open_sites
from tests.tiny_checkpoint import write_tiny_checkpoint


def import_a_checkpoint(visit: Visit) -> None:
    path = write_tiny_checkpoint(visit.folder / f"imported-{visit.mark}.safetensors", seed=int(visit.mark, 16))
    asset_id = imported(visit, path.read_bytes(), status="active")
    visit.service.assets.delete(asset_id)


def import_what_is_no_checkpoint(visit: Visit) -> None:
    asset_id = imported(visit, b"\xff" * 1000, status="failed")
    assert not visit.objects(asset_id), "a refused file remains and costs money"


def import_a_large_file(visit: Visit) -> None:
    imported(visit, b"\xff" * LARGE, status="failed", error="its header claims")


def import_what_is_not_there(visit: Visit) -> None:
    asset_id = imported(visit, None, status="failed", error="404")
    assert not visit.unfinished(asset_id), "parts of the upload remain and cost money"


def import_what_was_thrown_away(visit: Visit) -> None:
    asset = visit.begin_upload()
    visit.throw_away(asset["asset_id"])
    visit.change_asset(asset["asset_id"], status="importing")
    visit.invoke("AssetImport", {"asset_id": asset["asset_id"], "url": "https://models.example/x"})
    visit.until_status(asset["asset_id"], "failed")
    visit.ask("DELETE", f"assets/{asset['asset_id']}").raise_for_status()


def imported(visit: Visit, data: bytes | None, *, status: str, error: str = "") -> str:
    """Import an asset from a site on this machine and wait for `status`; returns its id.

    If `data` is None, the site does not have the file.
    """
    name = f"imported-{visit.mark}.safetensors"
    with open_sites(site_folder(visit.cloud)) as sites:
        if data is None:
            url = sites.on("/x", lambda handler: handler.answer(status=404))
        else:
            url = sites.on("/x", partial(send, data=data))
        asset = visit.ask("POST", "assets", {"type": "checkpoint", "name": name, "source_url": url})
        asset_id = str(asset.raise_for_status().json()["asset_id"])
        visit.until_status(asset_id, status)
    said = visit.ask("GET", f"assets/{asset_id}").json().get("error") or ""
    assert error in said, said
    return asset_id


def send(handler: SiteHandler, *, data: bytes) -> None:
    handler.answer(data)
