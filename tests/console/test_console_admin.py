"""People in a browser, against the real local cloud: roles and users with their quotas, and invitations."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.client.errors import ProblemError
from generate_on_cloud.contract.access import Permission, Quotas
from generate_on_cloud.contract.accounts import CreateUser
from local_cloud.cloud import LocalCloud

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600), pytest.mark.xdist_group("console")]
OpenPage = Callable[..., Page]
expect.set_options(timeout=60_000)


@pytest.fixture
def admin(cloud: LocalCloud) -> Iterator[GenerateOnCloud]:
    with GenerateOnCloud(cloud.api_url, cloud.admin_key) as service:
        yield service


def fill_quota(page: Page, name: str, value: str) -> None:
    page.get_by_role("dialog").get_by_label(name, exact=True).fill(value)


def test_a_role_and_a_user_are_made_changed_locked_out_and_deleted(open_page: OpenPage, admin: GenerateOnCloud) -> None:
    page = open_page("/people")
    page.get_by_role("button", name="Create role").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("viewer")
    dialog.get_by_role("checkbox", name="endpoint:list").check()
    fill_quota(page, "Jobs a month", "300")
    dialog.get_by_role("button", name="Create role").click()
    expect(dialog).to_have_count(0)
    page.get_by_role("button", name="Create user").click()
    dialog.get_by_label("Name").fill("anna")
    dialog.get_by_role("combobox", name="Role").click()
    page.get_by_role("option", name="viewer").click()
    fill_quota(page, "Model files, GB", "1.5")
    dialog.get_by_role("button", name="Create user").click()
    expect(dialog).to_have_count(0)

    made, role = admin.users.get("anna"), admin.roles.get("viewer")
    assert (made.role, made.quotas) == ("viewer", Quotas(asset_bytes=1_500_000_000))
    assert role.quotas == Quotas(jobs_per_month=300)
    assert set(role.permissions) == {Permission.INFERENCE_LIST, Permission.ASSET_LIST, Permission.ENDPOINT_LIST}

    page.get_by_role("button", name="Change: anna").click()
    fill_quota(page, "Jobs a day", "50")
    fill_quota(page, "Model files, GB", "")
    dialog.get_by_role("checkbox", name="Locked out").check()
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_role("row").filter(has_text="anna")).to_contain_text("viewer (locked out)")
    changed = admin.users.get("anna")
    assert (changed.disabled, changed.quotas) == (True, Quotas(jobs_per_day=50))

    page.get_by_role("button", name="Delete: viewer").click()
    dialog.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("alert")).to_contain_text("Some users have this role")
    for name in ("anna", "viewer"):
        page.get_by_role("button", name=f"Delete: {name}").click()
        dialog.get_by_role("button", name="Delete").click()
        expect(page.get_by_role("button", name=f"Delete: {name}")).to_have_count(0)
    with pytest.raises(ProblemError):
        admin.users.get("anna")


def test_an_invitation_signs_the_invited_person_in(open_page: OpenPage, admin: GenerateOnCloud) -> None:
    admin.users.create(CreateUser(name="guest1", role="artist"))
    page = open_page("/people")
    page.get_by_role("button", name="Invitation link: guest1").click()
    link = page.get_by_role("alert").get_by_text("#code=").inner_text()

    other = open_page("/", signed_in=False)
    other.goto(f"{other.url.partition('#')[0]}#{link.partition('#')[2]}")
    other.reload()

    expect(other.get_by_role("heading", name="Generate", exact=True)).to_be_visible()
    assert "code" not in other.url
    other.goto(f"{other.url.partition('#')[0]}#/people")
    expect(other.get_by_role("region", name="My keys and sessions")).to_be_visible()
    expect(other.get_by_role("button", name="Create user")).to_have_count(0)
    admin.users.delete("guest1")
