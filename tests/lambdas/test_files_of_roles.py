"""A role may list the model files that its users may use."""

from typing import Any

import pytest

from generate_on_cloud.contract.access import Permission
from tests.lambdas.cloud import PNG, Cloud, txt2img
from tests.lambdas.people import later, make_key, make_user, with_key

DRAWING = ["inference:create", "inference:list", "asset:list", "asset:create"]
ENTRIES = {
    "its id": "{id}",
    "its name": "moon.safetensors",
    "its name without extension": "moon",
    "a decomposed name": "moo\u0301n.safetensors",
    "a tag": "tag:training",
    "its type": "type:lora",
    "WebUI's folder": "type:Lora",
}


def trainees(cloud: Cloud, *assets: str | None, name: str = "trainee") -> dict[str, Any]:
    """A user with a role that lists these files, as who asks."""
    body = {"name": name, "permissions": DRAWING, "assets": list(assets)}
    cloud.ask("POST", "/v1/roles", body, user="root").ok(201)
    return with_key(make_user(cloud, f"one-{name}", role=name))


def names(cloud: Cloud, who: dict[str, Any]) -> list[str]:
    return [asset["name"] for asset in cloud.ask("GET", "/v1/assets", **who).ok()["assets"]]


def draw(cloud: Cloud, who: dict[str, Any], prompt: str = "a cat", checkpoint: str = "dream") -> Any:
    return cloud.ask("POST", "/v1/jobs", {**txt2img(prompt=prompt), "checkpoint": checkpoint}, **who)


@pytest.mark.parametrize("way", ENTRIES)
def test_a_role_lists_files_by_every_way_to_name_them(cloud: Cloud, way: str) -> None:
    name = "mo\u00f3n.safetensors" if "decomposed" in way else "moon.safetensors"
    cloud.asset("checkpoint", "dream.safetensors")
    moon = cloud.asset("lora", name, tags=("training", "blue"))
    cloud.asset("upscaler", "night.pth", tags=("blue",))

    who = trainees(cloud, "dream", ENTRIES[way].format(id=moon))

    assert names(cloud, who) == ["dream.safetensors", name]
    draw(cloud, who, f"a cat <lora:{name.removesuffix('.safetensors')}:1>").ok(201)


def test_what_a_role_does_not_list_is_neither_seen_nor_used_and_the_refusal_says_what_is_listed(cloud: Cloud) -> None:
    cloud.asset("checkpoint", "dream.safetensors")
    other = cloud.asset("checkpoint", "other.safetensors")
    cloud.asset("lora", "moon.safetensors")
    cloud.asset("lora", "night.safetensors", sha256="a" * 64)
    who = trainees(cloud, "dream", "moon")

    refused = draw(cloud, who, "a cat <lora:night:1>").problem(404, "asset_not_found")
    draw(cloud, who, checkpoint="other").problem(404, "asset_not_found")
    hidden = cloud.ask("GET", f"/v1/assets/{other}", **who).problem(404, "asset_not_found")
    same = cloud.ask("GET", f"/v1/assets/by-hash/{'a' * 64}", **who).ok()

    allowed = "your role 'trainee' may use: dream, moon"
    assert allowed in refused["detail"]
    assert allowed in hidden["detail"]
    assert "night.safetensors" not in str(refused).replace("<lora:night:1>", "")
    assert same["assets"] == []
    draw(cloud, who, "a cat <lora:moon:1>").ok(201)
    assert cloud.ask("GET", "/v1/me", **who).ok()["assets"] == ["dream", "moon"]


def test_an_empty_list_leaves_a_user_with_their_own_files(cloud: Cloud) -> None:
    cloud.asset("checkpoint", "dream.safetensors")
    who = trainees(cloud)
    assert "may use: nothing" in draw(cloud, who).problem(404, "asset_not_found")["detail"]

    cloud.asset("checkpoint", "own.safetensors", owner="one-trainee")

    assert names(cloud, who) == ["own.safetensors"]
    draw(cloud, who, checkpoint="own").ok(201)


def test_a_list_does_not_open_what_is_reserved_for_others(cloud: Cloud) -> None:
    cloud.asset("checkpoint", "dream.safetensors", users=("alice",))
    assert names(cloud, trainees(cloud, "dream")) == []


@pytest.mark.parametrize("listed", ["dream", "dream.safetensors"])
def test_the_vae_that_belongs_to_a_listed_checkpoint_comes_along(cloud: Cloud, listed: str) -> None:
    cloud.asset("checkpoint", "dream.safetensors", trusted=True)
    cloud.asset("vae", "dream.vae.safetensors", trusted=True)
    cloud.asset("vae", "other.vae.safetensors", trusted=True)

    assert names(cloud, trainees(cloud, listed)) == ["dream.safetensors", "dream.vae.safetensors"]


def test_a_task_that_takes_the_newest_file_takes_it_from_the_list(cloud: Cloud) -> None:
    cloud.asset("interrogator", "blip.zip", trusted=True)
    who = trainees(cloud)
    body = {"task": "interrogate_clip", "params": {"image": PNG}}

    refused = cloud.ask("POST", "/v1/jobs", body, **who).problem(404, "asset_not_found")
    assert "may use: nothing" in refused["detail"]
    role = {"permissions": DRAWING, "assets": ["type:interrogator"]}
    cloud.ask("PUT", "/v1/roles/trainee", role, user="root").ok()
    later(cloud)
    cloud.ask("POST", "/v1/jobs", body, **who).ok(201)


def test_a_change_of_the_list_reaches_its_users_within_a_minute(cloud: Cloud) -> None:
    cloud.asset("checkpoint", "dream.safetensors")
    cloud.asset("checkpoint", "other.safetensors")
    who = trainees(cloud, "dream")
    role = "/v1/roles/trainee"

    for body, stored, seen in (
        ({"permissions": DRAWING}, ["dream"], 1),  # what is left out stays
        ({"permissions": DRAWING, "assets": ["other", "dream"]}, ["dream", "other"], 2),
        ({"permissions": DRAWING, "assets": []}, [], 0),
        ({"permissions": DRAWING, "assets": None}, None, 2),
    ):
        assert cloud.ask("PUT", role, body, user="root").ok()["assets"] == stored
        later(cloud)
        assert len(names(cloud, who)) == seen


def test_a_file_of_a_list_may_be_deleted_and_the_list_still_be_changed(cloud: Cloud) -> None:
    moon = cloud.asset("lora", "moon.safetensors")
    cloud.asset("checkpoint", "dream.safetensors")
    trainees(cloud, "moon")
    cloud.ask("DELETE", f"/v1/assets/{moon}", user="root").ok()

    body = {"permissions": DRAWING, "assets": ["moon", "dream"]}
    assert cloud.ask("PUT", "/v1/roles/trainee", body, user="root").ok()["assets"] == ["dream", "moon"]


REFUSED: dict[str, tuple[list[str], list[str], str]] = {
    "a name of nothing": (["mooon"], DRAWING, "'mooon', and no model file that you may use is called so"),
    "an id of nothing": (["01a20822-d7b1-71c4-b539-d556c729ec5e"], DRAWING, "no model file that you may use"),
    "a type of nothing": (["type:lorra"], DRAWING, "allowed: type:checkpoint"),
    "everything and a list": (["dream"], [*DRAWING, "asset:all"], "asset:all, which covers every file"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_lists_that_make_no_sense_are_refused_with_what_is_allowed(cloud: Cloud, case: str) -> None:
    assets, permissions, told = REFUSED[case]
    cloud.asset("checkpoint", "dream.safetensors")

    body = {"name": "trainee", "permissions": permissions, "assets": assets}
    assert told in str(cloud.ask("POST", "/v1/roles", body, user="root").problem(422, "invalid_params"))


def test_somebody_limited_to_listed_files_makes_no_role_and_no_user_with_more(cloud: Cloud) -> None:
    cloud.asset("checkpoint", "dream.safetensors")
    cloud.asset("checkpoint", "other.safetensors")
    held = [*DRAWING, "role:all", "user:all"]
    lead = {"name": "lead", "permissions": held, "assets": ["dream"]}
    cloud.ask("POST", "/v1/roles", lead, user="root").ok(201)
    who = with_key(make_user(cloud, "lea", role="lead"))
    cloud.ask("POST", "/v1/users", {"name": "ann", "role": "artist"}, user="root").ok(201)

    def role(name: str, **assets: object) -> Any:
        return cloud.ask("POST", "/v1/roles", {"name": name, "permissions": DRAWING, **assets}, **who)

    assert "every model file" in role("wide").problem(403, "forbidden")["detail"]
    assert "does not list: tag:x" in role("wide", assets=["dream", "tag:x"]).problem(403, "forbidden")["detail"]
    role("narrow", assets=["dream"]).ok(201)
    widened = {"permissions": DRAWING, "assets": None}
    cloud.ask("PUT", "/v1/roles/narrow", widened, **who).problem(403, "forbidden")
    cloud.ask("POST", "/v1/users", {"name": "bea", "role": "narrow"}, **who).ok(201)
    cloud.ask("POST", "/v1/users", {"name": "cia", "role": "artist"}, **who).problem(403, "forbidden")
    cloud.ask("PATCH", "/v1/users/bea", {"role": "artist"}, **who).problem(403, "forbidden")
    cloud.ask("POST", "/v1/keys", {"user": "ann"}, **who).problem(403, "forbidden")


def test_a_key_with_rights_that_its_users_role_lacks_is_refused_and_names_them(cloud: Cloud) -> None:
    make_user(cloud, "carol")
    body = {"user": "carol", "permissions": ["inference:list", "user:list", "endpoint:all"]}

    told = str(cloud.ask("POST", "/v1/keys", body, user="root").problem(422, "invalid_params"))

    assert "received user:list, endpoint:all, which the role 'artist' of 'carol' does not have" in told
    assert "allowed: asset:create, asset:list, endpoint:list, inference:create, inference:list" in told
    make_key(cloud, "carol", permissions=["inference:list"])
    make_key(cloud, "root", permissions=[str(one) for one in Permission])
    body = {"user": "carol", "permissions": ["user:list"]}
    code = cloud.ask("POST", "/v1/sessions/codes", body, user="root").problem(422, "invalid_params")
    assert "received user:list, which the role 'artist'" in str(code)
