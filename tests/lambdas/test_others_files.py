"""Whose model files act on a job: one's own, those of users one trusts, an administrator's; a stranger's when named."""

from collections.abc import Callable
from typing import Any

import pytest

from generate_on_cloud.contract.errors import ProblemCode
from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.params import PARAMS_BY_TASK, Txt2ImgParams
from lambdas.access.caller import Caller
from lambdas.aws.rows import read_rows
from lambdas.jobs.needed_assets import mentioned_at
from lambdas.jobs.resolution import MAX_MENTIONED, Resolution
from lambdas.problems import ProblemError
from tests.lambdas.cloud import PNG, Cloud

ALICE = Caller("alice", "artist")
TRUSTING = Caller("alice", "artist", trusted=frozenset({"bob"}))
WHO: dict[str, dict[str, Any]] = {
    "alice": {"owner": "alice", "trusted": False},
    "bob": {"owner": "bob", "trusted": False},
    "carol": {"owner": "carol", "trusted": False},
    "admin": {"owner": "root", "trusted": True},
}
STYLE = "name,prompt,negative_prompt\nink,{prompt} of WHO,\n"


def resolved(cloud: Cloud, caller: Caller, params: Any, checkpoint: str | None) -> Resolution:
    services = cloud.services
    asked = services.resolver.ask(checkpoint, params, caller=caller)
    rows = read_rows(cloud.dynamodb, services.assets.keys(asked.references), consistent=True)
    return services.resolver.resolve(asked, rows)


def drawn(cloud: Cloud, caller: Caller, prompt: str = "", **params: Any) -> Resolution:
    return resolved(cloud, caller, Txt2ImgParams.model_validate({"prompt": prompt, **params}), "dream")


def embedding(cloud: Cloud, who: str, name: str) -> None:
    cloud.asset("embedding", name, **WHO[who])


def vae(cloud: Cloud, who: str, name: str) -> None:
    cloud.asset("vae", name.replace("star", "dream.vae"), **WHO[who])


def styles(cloud: Cloud, who: str, name: str) -> None:
    cloud.styles(f"{who} {name}.csv", STYLE.replace("WHO", who), **WHO[who])


def interrogator(cloud: Cloud, who: str, name: str) -> None:
    cloud.asset("interrogator", name.replace(".pt", ".zip"), **WHO[who])


def _by_words(cloud: Cloud, caller: Caller) -> Resolution:
    return drawn(cloud, caller, "a red star")


def _by_style(cloud: Cloud, caller: Caller) -> Resolution:
    return drawn(cloud, caller, "a cat", styles=["ink"])


def _by_task(cloud: Cloud, caller: Caller) -> Resolution:
    params = PARAMS_BY_TASK[Task.INTERROGATE_CLIP].model_validate({"image": PNG})
    return resolved(cloud, caller, params, None)


Put = Callable[[Cloud, str, str], None]
Ask = Callable[[Cloud, Caller], Resolution]
ACTING: dict[str, tuple[Put, Ask]] = {
    "an embedding": (embedding, _by_words),
    "a VAE called like the checkpoint": (vae, _by_words),
    "a styles file": (styles, _by_style),
    "the newest interrogator": (interrogator, _by_task),
}
NEEDED = {"a styles file", "the newest interrogator"}


@pytest.mark.parametrize(
    ("caller", "theirs", "used"),
    [
        (ALICE, ["bob"], None),
        (ALICE, ["carol", "bob"], None),
        (ALICE, ["alice"], "alice"),
        (ALICE, ["admin"], "admin"),
        (TRUSTING, ["bob"], "bob"),
        (TRUSTING, ["carol"], None),
        (ALICE, ["alice", "admin"], "alice"),
        (ALICE, ["admin", "bob"], "admin"),
        (TRUSTING, ["bob", "admin"], "bob"),
        (TRUSTING, ["alice", "bob"], "alice"),
    ],
)
@pytest.mark.parametrize("kind", ACTING)
def test_what_acts_without_being_named_is_ones_own_or_trusted_and_the_closest_comes_first(
    cloud: Cloud, kind: str, caller: Caller, theirs: list[str], used: str | None
) -> None:
    put, ask = ACTING[kind]
    cloud.asset("checkpoint", "dream.safetensors", **WHO["admin"])
    # The file of the one who must win is there first, so that the newest is another's.
    for who, name in zip(theirs, ("star.pt", "star.safetensors"), strict=False):
        put(cloud, who, name)
    owners = {asset.asset_id: asset.owner for asset in cloud.all_assets()}
    shown = {WHO[used]["owner"]} if used else set()

    if used is None and kind in NEEDED:
        with pytest.raises(ProblemError, match="you trust") as refused:
            ask(cloud, caller)
        assert refused.value.code is ProblemCode.ASSET_NOT_FOUND
        return
    files = ask(cloud, caller)

    found = [owners[asset.asset_id] for asset in files.assets]
    # All styles files that act are read; the last one's style counts.
    assert {found[-1]} if found else set() == shown
    assert "bob" not in found or "bob" in caller.trusted
    assert "carol" not in found


def test_a_named_file_of_another_user_is_used_and_does_not_make_ones_own_ambiguous(cloud: Cloud) -> None:
    cloud.asset("checkpoint", "dream.safetensors", **WHO["bob"])
    cloud.asset("vae", "dream.vae.pt", **WHO["bob"])
    cloud.asset("lora", "ink.safetensors", **WHO["alice"])
    cloud.asset("lora", "ink.pt", **WHO["bob"])
    cloud.asset("lora", "wax.pt", **WHO["bob"])

    files = drawn(cloud, ALICE, "<lora:ink:1> <lora:wax:1>")

    assert [asset.name for asset in files.assets] == ["ink.safetensors", "wax.pt", "dream.vae.pt"]


@pytest.mark.parametrize(
    ("name", "prompt", "is_mentioned"),
    [
        ("e", "a red star, the best", False),
        ("e", "the letter e, blue", True),
        ("star", "a red star", True),
        ("star", "Star", True),
        ("star", "(star:1.2)", True),
        ("star", "[star|moon]", True),
        ("star", "star,moon", True),
        ("star", "<star>", True),
        ("star", "starfish", False),
        ("star", "mystar", False),
        ("star", "stars", False),
        ("star", "stär", False),
        ("star", "ästar", False),
        ("bad-hands-5", "worst, (bad-hands-5:1.3)", True),
        ("bad-hands-5", "bad-hands", False),
        ("bad hands", "two bad  hands", True),
        ("bad hands", "bad handsome", False),
        ("ÉTOILE", "une étoile", True),
        ("v1.5", "in v1.5 style", True),
        ("(x)", "a (x) b", True),
        ("a+b", "a+b", True),
        (".*", "anything", False),
    ],
)
def test_a_prompt_mentions_a_file_by_whole_words(cloud: Cloud, name: str, prompt: str, *, is_mentioned: bool) -> None:
    cloud.checkpoint()
    cloud.asset("embedding", f"{name}.pt", **WHO["alice"])

    files = drawn(cloud, ALICE, "a cat", negative_prompt=prompt)

    assert [asset.name for asset in files.assets] == ([f"{name}.pt"] if is_mentioned else [])


def test_a_word_is_looked_for_in_every_prompt_by_its_whole_name() -> None:
    assert mentioned_at("", "a") is None
    assert mentioned_at("b", "ab b") == 3


@pytest.mark.parametrize("status", ["failed", "uploading", "inspecting", "importing"])
def test_a_mentioned_file_that_is_not_active_is_passed_over_with_a_warning(cloud: Cloud, status: str) -> None:
    cloud.checkpoint()
    cloud.asset("embedding", "star.pt", status=status, **WHO["alice"])

    files = drawn(cloud, ALICE, "a red star")

    assert files.assets == ()
    assert [warning.message for warning in files.warnings] == [f"star.pt is {status} and was passed over"]


def test_a_strangers_file_that_a_prompt_mentions_is_named_in_the_jobs_warnings(cloud: Cloud) -> None:
    cloud.checkpoint()
    for name in ("a", "red", "star", "over", "the", "sea", "at"):
        cloud.asset("embedding", f"{name}.pt", **WHO["bob"])

    body = {"task": "txt2img", "checkpoint": "dream", "params": {"prompt": "a red star over the sea at night"}}
    job = cloud.ask("POST", "/v1/jobs", body).ok(201)

    assert len(job["warnings"]) == 5
    assert "trusted" in job["warnings"][0]["message"]
    assert [model["name"] for model in job["models"]] == ["dream.safetensors"]


def test_a_prompt_brings_a_bounded_number_of_files_along(cloud: Cloud) -> None:
    cloud.checkpoint()
    names = [f"word{'x' * number}" for number in range(1, MAX_MENTIONED + 4)]
    for name in reversed(names):
        cloud.asset("embedding", f"{name}.pt", **WHO["alice"])

    files = drawn(cloud, ALICE, ", ".join(names))

    assert [asset.name for asset in files.assets] == [f"{name}.pt" for name in names[:MAX_MENTIONED]]
    assert f"mention {MAX_MENTIONED + 3} files" in files.warnings[0].message


def test_an_administrators_upload_or_change_makes_a_file_act_for_all_until_it_has_another_name(cloud: Cloud) -> None:
    cloud.checkpoint()
    asset_id = cloud.asset("embedding", "star.pt", **WHO["alice"])
    for user, name in (("root", "moon.pt"), ("alice", "sun.pt")):
        begun = {"type": "embedding", "name": name, "size": 10, "sha256": "0" * 64}
        assert cloud.ask("POST", "/v1/assets", begun, user=user).status == 201
    trusted = {asset.name for asset in cloud.all_assets() if asset.trusted}

    def acts() -> bool:
        files = drawn(cloud, Caller("dave", "artist"), "a red star e")
        return bool(files.assets)

    seen = [acts()]
    cloud.ask("PATCH", f"/v1/assets/{asset_id}", {"tags": ["checked"]}, user="root").ok()
    seen.append(acts())
    cloud.ask("PATCH", f"/v1/assets/{asset_id}", {"description": "mine"}, user="alice").ok()
    seen.append(acts())
    cloud.ask("PATCH", f"/v1/assets/{asset_id}", {"name": "e.pt"}, user="alice").ok()
    seen.append(acts())

    assert (trusted, seen) == ({"dream.safetensors", "moon.pt"}, [False, True, True, False])


def test_trust_is_chosen_with_ones_own_key_and_holds_for_all_keys(cloud: Cloud) -> None:
    before = cloud.ask("GET", "/v1/me").ok()["trusted"]
    changed = cloud.ask("PATCH", "/v1/me", {"trusted": ["bob", "carol", "bob"]}).ok()
    shown = cloud.ask("GET", "/v1/me").ok()

    assert (before, changed["trusted"], shown["trusted"]) == ([], ["bob", "carol"], ["bob", "carol"])
    assert cloud.ask("PATCH", "/v1/me", {"trusted": []}).ok()["trusted"] == []
    cloud.ask("PATCH", "/v1/me", {"trusted": ["not/a name"]}).problem(422, "invalid_params")
    cloud.ask("PATCH", "/v1/me", {"trusted": ["u"] * 101}).problem(422, "invalid_params")
