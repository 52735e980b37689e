"""The console does not offer what a key may not do: every page's buttons for each kind of key, no request refused."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Page, Route, expect

from demo_models.checkpoint import TRAINED
from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.contract.access import Permission
from generate_on_cloud.contract.accounts import CreateKey, CreateUser
from local_cloud.cloud import LocalCloud
from tests.console.jobs import submit

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600), pytest.mark.xdist_group("console")]
OpenPage = Callable[..., Page]
expect.set_options(timeout=60_000)

READER: Final = [Permission.INFERENCE_LIST, Permission.ASSET_LIST]
TRAINEE: Final = [Permission.INFERENCE_CREATE, *READER]
WHO: Final = ("reader", "trainee", "artist", "admin")
DRAWS, UPLOADS, RULES = ("trainee", "artist", "admin"), ("artist", "admin"), ("admin",)
OFFERED: Final[dict[str, dict[tuple[str, str], tuple[str, ...]]]] = {
    "/generate/txt2img": {
        ("button", "Generate on Cloud"): DRAWS,
        ("button", "LoRA, hypernetworks, embeddings"): WHO,
        ("link", "Jobs"): WHO,
        ("link", "Model files"): WHO,
        ("link", "Endpoints"): UPLOADS,
        ("link", "People"): WHO,
        ("link", "GPU"): UPLOADS,
    },
    **{
        f"/generate/{tab}": {("button", "Generate on Cloud"): DRAWS, ("button", "Choose a file"): WHO}
        for tab in ("img2img", "sketch", "inpaint", "inpaint-sketch", "inpaint-upload", "extras", "interrogate")
    },
    "/jobs": {("button", "Refresh"): WHO},
    "/jobs/{job}": {
        ("button", "Save"): WHO,
        ("button", "Send to"): WHO,
        ("button", "Run again"): DRAWS,
        ("button", "Star"): DRAWS,
        ("button", "Delete"): DRAWS,
        ("textbox", "Label"): DRAWS,
    },
    "/assets": {
        ("button", "Choose files"): UPLOADS,
        ("textbox", "URL of the file"): UPLOADS,
        ("button", "Change lenas.safetensors"): UPLOADS,
        ("button", "Delete lenas.safetensors"): UPLOADS,
        ("button", "Change shapes.safetensors"): RULES,
        ("button", "Delete shapes.safetensors"): RULES,
    },
    "/endpoints": {("button", "Create endpoint"): RULES, ("button", "Sleep now"): RULES},
    "/people": {
        ("button", "Create user"): RULES,
        ("button", "Change: lena"): RULES,
        ("button", "Invitation link: lena"): RULES,
        ("button", "Create role"): RULES,
        ("button", "Create key"): WHO,
    },
    "/usage": {("radio", "Everyone"): RULES},
    "/settings": {("radio", "日本語"): WHO},
}
"""Page → what can be done there → who may."""


@dataclass(frozen=True)
class Team:
    keys: dict[str, str]
    job: str


@pytest.fixture(scope="module")
def team(cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """Keys of lena, who is an artist and has a job and a file; and the administrator's."""
    file = tmp_path_factory.mktemp("lena") / "lenas.safetensors"
    _other_copy(TRAINED, file)
    with GenerateOnCloud(cloud.api_url, cloud.admin_key) as admin:
        name = "lena"
        admin.users.create(CreateUser(name=name, role="artist"))
        keys = {
            who: admin.keys.create(CreateKey(user=name, label=who, permissions=permissions)).key
            for who, permissions in (("reader", READER), ("trainee", TRAINEE), ("artist", None))
        }
        with GenerateOnCloud(cloud.api_url, keys["artist"]) as lena:
            asset = lena.assets.upload(file, "checkpoint")
            job = lena.jobs.finish(submit(lena).job_id)
        yield Team({**keys, "admin": cloud.admin_key}, job.job_id)
        admin.assets.delete(asset.asset_id)


def _other_copy(source: Path, target: Path) -> None:
    """The same tensors, other bytes: a file that is there already is not uploaded again."""
    data = source.read_bytes()
    length = int.from_bytes(data[:8], "little")
    target.write_bytes((length + 8).to_bytes(8, "little") + data[8 : 8 + length] + b" " * 8 + data[8 + length :])


@pytest.mark.parametrize("who", WHO)
def test_a_key_is_offered_what_it_may_do_and_nothing_else(
    open_page: OpenPage, cloud: LocalCloud, team: Team, who: str
) -> None:
    page = open_page("/settings", key=team.keys[who])
    page.route("**/v1/endpoints", _with_awake)
    page.get_by_role("heading", level=1).wait_for()
    refused: list[str] = []
    page.on("response", lambda answer: refused.append(answer.url) if answer.status == 403 else None)
    wrong: list[str] = []
    for path, offers in OFFERED.items():
        allowed = {offer for offer, may in offers.items() if who in may}
        if path == "/endpoints" and who not in UPLOADS:
            continue  # the page is not in their navigation
        page.goto(f"{cloud.endpoint_url}/#{path.format(job=team.job)}")
        for role, name in sorted(allowed):
            expect(_found(page, role, name)).to_be_enabled()
        page.wait_for_load_state("networkidle")
        wrong += [f"{path}: {name}" for role, name in offers.keys() - allowed if _is_offered(page, role, name)]

    assert wrong == []
    assert refused == []


def _with_awake(route: Route) -> None:
    """The endpoints as they are, each with a GPU that is awake and idle: it can be put to sleep."""
    answer = route.fetch()
    if not answer.ok:
        route.fulfill(response=answer)
        return
    soon = (datetime.now(UTC) + timedelta(minutes=5)).isoformat()
    body = answer.json()
    for endpoint in body["endpoints"]:
        endpoint.update(instance_count=1, sleeps_at=soon)
    route.fulfill(response=answer, json=body)


def _found(page: Page, role: Any, name: str) -> Any:
    return page.get_by_role(role, name=name).first


def _is_offered(page: Page, role: str, name: str) -> bool:
    found = _found(page, role, name)
    return bool(found.count() and found.is_enabled())


@pytest.mark.parametrize(
    ("who", "path", "permission"),
    [
        ("reader", "/generate/txt2img", "inference:create"),
        ("reader", "/jobs/{job}", "inference:create"),
        ("trainee", "/assets", "asset:create"),
        ("artist", "/endpoints", "endpoint:create"),
    ],
)
def test_the_reason_stands_where_the_action_would_be(
    open_page: OpenPage, team: Team, who: str, path: str, permission: str
) -> None:
    page = open_page(path.format(job=team.job), key=team.keys[who])

    expect(page.get_by_role("main")).to_contain_text(f"Your key may not do this: it needs the permission {permission}.")


def test_the_next_person_in_the_same_tab_sees_nothing_of_the_one_before(
    open_page: OpenPage, cloud: LocalCloud, team: Team
) -> None:
    page = open_page("/people", signed_in=False)
    page.get_by_label("API key").fill(cloud.admin_key)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="People").click()
    expect(page.get_by_role("button", name="Create user")).to_be_visible()
    page.get_by_role("button", name="Settings").click()
    page.get_by_role("menuitem", name="Sign out").click()

    page.get_by_label("API key").fill(team.keys["trainee"])
    page.get_by_role("button", name="Sign in").click()

    expect(page.get_by_role("button", name="Create key")).to_be_visible()
    assert page.get_by_role("button", name="Create user").count() == 0
    assert page.get_by_role("region", name="Users").count() == 0
