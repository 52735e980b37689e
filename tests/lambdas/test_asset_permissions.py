"""Who may do what with a model file: its owner, those it is meant for, everybody else, on every route."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from generate_on_cloud.contract.access import ADMIN, ARTIST
from tests.lambdas.asset_uploads import LORA_FILE, UPLOAD, begin, put_part
from tests.lambdas.cloud import Cloud, Reply
from tests.lambdas.model_bytes import sha256_of
from tests.lambdas.visitors import enter

STUDIO = "only-asset-list"
"""A role of one's own that reads assets."""
NOBODY_ELSES = {"users": ["somebody"], "roles": ["somebodies"]}
SHARES: Mapping[str, Mapping[str, Sequence[str]]] = {
    "with all": {},
    "with its owner": NOBODY_ELSES,
    "with the user": {"users": ["somebody", "visitor"]},
    "with the role": {"roles": [STUDIO, "somebodies"]},
}
SEES, IS_BLIND = 200, 404
# Who, what it is shared with: GET, by-hash and lists find it; complete, PATCH and DELETE answer.
TABLE: list[tuple[str, str, int, int]] = [
    ("owner", "with all", SEES, 200),
    ("owner", "with its owner", SEES, 200),
    (ADMIN, "with all", SEES, 200),
    (ADMIN, "with its owner", SEES, 200),
    ("only-asset-all", "with its owner", SEES, 200),
    (ARTIST, "with all", SEES, 403),
    (ARTIST, "with its owner", IS_BLIND, 404),
    (ARTIST, "with the user", SEES, 403),
    (ARTIST, "with the role", IS_BLIND, 404),
    (STUDIO, "with the user", SEES, 403),
    (STUDIO, "with the role", SEES, 403),
    (STUDIO, "with its owner", IS_BLIND, 403),
    ("only-asset-create", "with all", 403, 403),
    ("only-asset-create", "with its owner", 403, 404),
    ("only-inference-all", "with all", 403, 403),
    ("nothing", "with all", 403, 403),
]


def asked(cloud: Cloud, who: str, method: str, path: str, body: object = None) -> Reply:
    if who == "owner":
        return cloud.ask(method, path, body)
    return cloud.ask(method, path, body, user=None, headers=enter(cloud, who))


def active(cloud: Cloud, shared: Mapping[str, object]) -> str:
    asset_id: str = begin(cloud, {**UPLOAD, **shared})["asset_id"]
    put_part(cloud, asset_id, LORA_FILE)
    cloud.ask("POST", f"/v1/assets/{asset_id}/complete", {}).ok()
    return asset_id


@pytest.mark.parametrize(("who", "share", "reading", "changing"), TABLE)
def test_a_model_file_answers_its_readers_and_its_changers_only(
    cloud: Cloud, who: str, share: str, reading: int, changing: int
) -> None:
    asset_id = active(cloud, SHARES[share])
    path = f"/v1/assets/{asset_id}"

    found = [
        asked(cloud, who, "GET", f"/v1/assets/by-hash/{sha256_of(LORA_FILE)}"),
        asked(cloud, who, "GET", "/v1/assets"),
    ]
    signing = asked(cloud, who, "POST", f"{path}/parts", {"parts": [{"part_number": 1, "sha256": "0" * 64}]})
    statuses = [
        asked(cloud, who, "GET", path).status,
        asked(cloud, who, "POST", f"{path}/complete", {}).status,
        asked(cloud, who, "PATCH", path, {"description": "mine"}).status,
        asked(cloud, who, "DELETE", path).status,
    ]

    assert statuses == [reading, changing, changing, changing]
    assert signing.status == (409 if changing == 200 else changing)
    for reply in found:
        assert reply.status == (403 if reading == 403 else 200)
        assert (asset_id in reply.text) == (reading == SEES)


@pytest.mark.parametrize(("who", "told"), [("owner", True), (ADMIN, True), (ARTIST, False), (STUDIO, False)])
def test_presigned_parts_are_for_those_who_may_complete_the_upload(cloud: Cloud, who: str, told: bool) -> None:
    asset_id = begin(cloud)["asset_id"]

    reply = asked(cloud, who, "GET", f"/v1/assets/{asset_id}")

    assert (reply.ok()["upload"] is not None) == told
    assert ("X-Amz-Signature" in reply.text) == told


def test_nobody_goes_on_with_the_upload_of_another(cloud: Cloud) -> None:
    asset_id = begin(cloud)["asset_id"]

    refused = cloud.ask("POST", "/v1/assets", UPLOAD, user="bob")

    refused.problem(409, "asset_exists")
    assert "X-Amz-Signature" not in refused.text
    cloud.ask("POST", f"/v1/assets/{asset_id}/complete", {}, user="bob").problem(403, "forbidden")


def test_who_may_not_use_a_file_cannot_tell_whether_its_bytes_are_there(cloud: Cloud) -> None:
    asset_id = active(cloud, NOBODY_ELSES)
    other_hash = {**UPLOAD, "sha256": "0" * 64}

    def said(body: dict[str, object]) -> Any:
        return cloud.ask("POST", "/v1/assets", body, user="bob").problem(409, "asset_exists")

    assert said(UPLOAD) == said(other_hash), "the name is taken, whatever the bytes"
    assert asset_id not in said(UPLOAD)["detail"]
    under_another_name = cloud.ask("POST", "/v1/assets", {**UPLOAD, "name": "mine.safetensors"}, user="bob").ok(201)
    assert [part["received"] for part in under_another_name["upload"]["parts"]] == [False]
