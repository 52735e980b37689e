"""Endpoints, people, money and preferences in a browser, against the real local cloud."""

from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.client.errors import ProblemError
from generate_on_cloud.contract.access import Permission, Quotas
from generate_on_cloud.contract.accounts import CreateKey, CreateUser
from local_cloud.cloud import LocalCloud
from tests.console.jobs import submit

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


def test_the_list_of_files_of_a_role_is_made_changed_and_taken_away(
    open_page: OpenPage, admin: GenerateOnCloud
) -> None:
    page = open_page("/people")
    page.get_by_role("button", name="Create role").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("student")
    dialog.get_by_role("checkbox", name="Only listed model files").check()
    listed = dialog.get_by_role("combobox", name="Listed files")
    for entry in ("type:lora", "tag:training", "unheard of"):
        listed.fill(entry)
        listed.press("Enter")
    dialog.get_by_role("button", name="Create role").click()
    expect(dialog.get_by_role("alert")).to_contain_text("'unheard of'")
    listed.press("Backspace")
    dialog.get_by_role("button", name="Create role").click()
    expect(dialog).to_have_count(0)
    row = page.get_by_role("row").filter(has_text="student")
    expect(row).to_contain_text("tag:training, type:lora")
    assert admin.roles.get("student").assets == ["tag:training", "type:lora"]

    page.get_by_role("button", name="Change: student").click()
    listed.fill("shapes")
    page.get_by_role("option", name="shapes.safetensors").click()
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    assert admin.roles.get("student").assets == ["shapes.safetensors", "tag:training", "type:lora"]

    page.get_by_role("button", name="Change: student").click()
    dialog.get_by_role("checkbox", name="Only listed model files").uncheck()
    dialog.get_by_role("button", name="Save").click()
    expect(row).to_contain_text("all")
    assert admin.roles.get("student").assets is None
    admin.roles.delete("student")


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


@pytest.mark.parametrize("pasted", ["the whole link", "its code alone"])
def test_the_sign_in_takes_an_invitation_too(open_page: OpenPage, admin: GenerateOnCloud, pasted: str) -> None:
    code = admin.sessions.create_code("admin").code
    page = open_page("/", signed_in=False)
    page.get_by_label("API key").fill(f" {page.url.partition('#')[0]}#code={code} " if "link" in pasted else code)
    page.get_by_role("button", name="Sign in").click()

    expect(page.get_by_role("heading", name="Generate", exact=True)).to_be_visible()
    assert page.evaluate("sessionStorage.getItem('goc.key')").startswith("goc_")


def test_an_endpoint_is_made_changed_and_deleted_and_a_wrong_value_is_said(
    open_page: OpenPage, admin: GenerateOnCloud
) -> None:
    page = open_page("/endpoints")
    page.get_by_role("button", name="Create endpoint").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("painters")
    dialog.get_by_label("Instance type").fill("ml.m5.large")
    dialog.get_by_role("button", name="Create endpoint").click()
    expect(dialog.get_by_role("alert")).to_contain_text("received 'ml.m5.large'; allowed:")
    dialog.get_by_label("Instance type").fill("ml.g5.xlarge")
    dialog.get_by_role("button", name="Create endpoint").click()
    card = page.get_by_role("region", name="goc-main-painters")
    expect(card).to_be_visible()

    card.get_by_role("button", name="Change").click()
    dialog.get_by_label("Instances at most").fill("3")
    dialog.get_by_label("Sleeps after idle minutes").fill("20")
    dialog.get_by_label("Only for these users").first.fill("admin")
    dialog.get_by_label("Only for these users").first.press("Enter")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    changed = admin.endpoints.get("painters")
    assert (changed.max_instances, changed.idle_minutes, changed.users) == (3, 20, ["admin"])

    card.get_by_role("button", name="Delete").click()
    dialog.get_by_role("button", name="Delete").click()
    expect(card).to_have_count(0)


def test_the_lamp_says_when_the_gpu_will_sleep_and_a_button_lets_it_sleep_now(
    open_page: OpenPage, admin: GenerateOnCloud
) -> None:
    admin.jobs.finish(submit(admin).job_id)
    (endpoint,) = [each for each in admin.endpoints.list() if each.managed_by == "template"]
    page = open_page("/endpoints")
    lamp = page.get_by_role("link", name="GPU awake")
    card = page.get_by_role("region", name=endpoint.name)
    expect(lamp).to_contain_text("sleeps in")
    expect(card.get_by_role("timer")).to_contain_text("sleeps in")

    card.get_by_role("button", name="Sleep now").click()

    expect(card).to_contain_text("asleep", timeout=120_000)
    expect(page.get_by_role("link", name="GPU asleep")).to_be_visible()
    assert admin.endpoints.get(endpoint.name).instance_count == 0


def test_usage_is_summed_by_day_user_endpoint_and_model(open_page: OpenPage, admin: GenerateOnCloud) -> None:
    admin.jobs.finish(submit(admin).job_id)
    month = admin.usage.everyone().days
    page = open_page("/usage")
    page.get_by_text("Everyone", exact=True).click()
    expect(page.get_by_role("img", name="by day")).to_be_visible()
    expect(page.locator(".day-chart-day")).not_to_have_count(0)
    for choice, key in (("User", "admin"), ("Endpoint", "goc-main-default"), ("Checkpoint", "shapes")):
        page.get_by_role("radiogroup", name="Sum by").get_by_text(choice, exact=True).click()
        expect(page.get_by_role("cell", name=key).first).to_be_visible()
    expect(page.get_by_role("status")).to_contain_text(f"{sum(day.jobs for day in month)} jobs")


def test_preferences_are_the_same_on_another_device(open_page: OpenPage, admin: GenerateOnCloud) -> None:
    name = f"prefers-{uuid4().hex[:6]}"
    admin.users.create(CreateUser(name=name, role="artist"))
    key = admin.keys.create(CreateKey(user=name)).key

    def signed_in() -> Page:
        page = open_page(signed_in=False)
        page.get_by_label("API key").fill(key)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("heading", level=1, name="Generate").wait_for()
        return page

    one = signed_in()
    one.goto(f"{one.url.partition('#')[0]}#/settings")
    one.get_by_role("textbox", name="Names of saved files").fill("[seed]-[steps]")
    one.get_by_text("Dark", exact=True).click()
    with one.expect_response(lambda response: "preferences" in response.url and response.request.method == "PUT"):
        one.get_by_text("日本語", exact=True).click()
    expect(one.get_by_role("heading", level=1, name="設定")).to_be_visible()
    other = open_page(signed_in=False)
    other.get_by_label("API key").fill(key)
    other.get_by_role("button", name="Sign in").click()
    other.goto(f"{other.url.partition('#')[0]}#/settings")

    expect(other.get_by_role("heading", level=1, name="設定")).to_be_visible()
    expect(other.get_by_role("textbox", name="保存するファイルの名前")).to_have_value("[seed]-[steps]")
    expect(other.locator("html")).to_have_attribute("data-mantine-color-scheme", "dark")
    admin.users.delete(name)


def test_without_a_network_the_page_says_so_keeps_the_form_and_goes_on(open_page: OpenPage) -> None:
    page = open_page("/generate/txt2img")
    page.get_by_role("textbox", name="Prompt", exact=True).fill("typed before")
    page.context.set_offline(True)
    expect(page.get_by_role("status").filter(has_text="cannot be reached")).to_be_visible()
    page.get_by_role("textbox", name="Prompt", exact=True).fill("typed without a network")
    page.context.set_offline(False)

    expect(page.get_by_role("status").filter(has_text="cannot be reached")).to_have_count(0)
    expect(page.get_by_role("textbox", name="Prompt", exact=True)).to_have_value("typed without a network")


def test_a_page_that_was_opened_without_a_network_comes_when_the_network_does(open_page: OpenPage) -> None:
    page = open_page("/generate/txt2img")
    prompt = page.get_by_role("textbox", name="Prompt", exact=True)
    prompt.fill("typed before")
    page.context.set_offline(True)
    page.get_by_role("link", name="People").click()
    expect(page.get_by_role("status").filter(has_text="cannot be reached")).to_be_visible()
    page.context.set_offline(False)

    expect(page.get_by_role("heading", name="People", exact=True)).to_be_visible(timeout=60_000)
    page.get_by_role("link", name="Generate").click()
    expect(prompt).to_have_value("typed before")


def test_a_part_that_a_new_deployment_has_taken_away_loads_the_page_once_and_then_says_so(open_page: OpenPage) -> None:
    page = open_page("/generate/txt2img")
    page.get_by_role("textbox", name="Prompt", exact=True).wait_for()
    page.route("**/PeoplePage-*.js", lambda route: route.fulfill(status=404))
    loads: list[str] = []
    page.on("domcontentloaded", lambda _: loads.append(page.url))
    page.get_by_role("link", name="People").click()

    expect(page.get_by_role("alert").filter(has_text="This page has stopped working")).to_be_visible(timeout=60_000)
    assert len(loads) == 1
    page.get_by_role("link", name="Generate").click()
    expect(page.get_by_role("heading", name="Generate", exact=True)).to_be_visible()
