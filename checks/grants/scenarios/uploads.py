"""Scenarios of uploads: whole, large, broken off, gone from storage."""

import httpx

from checks.grants.deployed import client
from checks.grants.scenarios.visit import LARGE, Visit, ago
from generate_on_cloud.contract.asset_bodies import ChangeAsset
from tests.tiny_checkpoint import write_tiny_checkpoint


def upload_a_checkpoint(visit: Visit) -> None:
    path = write_tiny_checkpoint(visit.folder / f"another-{visit.mark}.safetensors", seed=int(visit.mark, 16))
    asset = visit.service.assets.upload(path, "checkpoint")
    visit.service.assets.change(asset.asset_id, ChangeAsset(name=f"renamed-{visit.mark}.safetensors"))
    visit.service.assets.page(asset_type="checkpoint")
    visit.service.assets.page()
    visit.service.assets.delete(asset.asset_id)


def upload_a_large_file(visit: Visit) -> None:
    path = visit.folder / f"large-{visit.mark}.safetensors"
    path.write_bytes(b"\xff" * LARGE)
    asset = visit.ask("POST", "assets", {"type": "checkpoint", "name": path.name, "size": LARGE}).json()
    for part in asset["upload"]["parts"]:
        data = path.read_bytes()[part["offset"] : part["offset"] + part["size"]]
        httpx.put(part["url"], content=data, timeout=60).raise_for_status()
    visit.ask("POST", f"assets/{asset['asset_id']}/complete", {}).raise_for_status()
    visit.until_status(asset["asset_id"], "failed")
    visit.ask("DELETE", f"assets/{asset['asset_id']}").raise_for_status()
    path.unlink()


def break_off_an_upload(visit: Visit) -> None:
    asset = visit.ask(
        "POST", "assets", {"type": "vae", "name": f"broken-off-{visit.mark}.safetensors", "size": 1000}
    ).json()
    visit.ask("DELETE", f"assets/{asset['asset_id']}").raise_for_status()
    assert not visit.unfinished(asset["asset_id"]), "parts of the upload remain and cost money"


def complete_an_upload_that_is_gone(visit: Visit) -> None:
    asset = visit.begin_upload()
    visit.throw_away(asset["asset_id"])
    answer = visit.ask("POST", f"assets/{asset['asset_id']}/complete", {})
    assert answer.json().get("code") == "upload_incomplete", answer.text
    visit.ask("DELETE", f"assets/{asset['asset_id']}").raise_for_status()


def inspect_what_is_gone(visit: Visit) -> None:
    asset = visit.begin_upload()
    visit.throw_away(asset["asset_id"])
    visit.change_asset(asset["asset_id"], status="inspecting")
    visit.invoke("AssetInspection", {"asset_id": asset["asset_id"]})
    visit.until_status(asset["asset_id"], "failed")
    visit.ask("DELETE", f"assets/{asset['asset_id']}").raise_for_status()


def give_up_an_old_upload(visit: Visit) -> None:
    asset = visit.ask("POST", "assets", {"type": "vae", "name": f"old-{visit.mark}.safetensors", "size": 1000}).json()
    row = visit.row("AssetsTable", "asset_id", asset["asset_id"]) | {"created_at": {"S": ago(days=8)}}
    client(visit.cloud, "dynamodb").put_item(TableName=visit.table("AssetsTable"), Item=row)
    visit.invoke("AssetInspection", {})
    visit.until_status(asset["asset_id"], "failed")
    visit.ask("DELETE", f"assets/{asset['asset_id']}").raise_for_status()
