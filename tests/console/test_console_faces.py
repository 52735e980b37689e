"""Restoring faces: what can be chosen, and what is sent for it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from generate_on_cloud.model_files.family_names import Family
from tests.console.form import choose_checkpoint, is_job, params_of

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600), pytest.mark.xdist_group("console")]
OpenPage = Callable[..., Page]
PICTURE = Path("examples/drawing.png")


def uploaded(page: Page, family: Family) -> None:
    """The service has such a file; the tests' cloud does not take CodeFormer's."""
    file = {
        "name": "faces.pth",
        "asset_id": "a1",
        "type": "face_restoration",
        "status": "active",
        "architecture": family,
    }
    listed = {"assets": [file], "next_cursor": None}
    page.route("**/v1/assets?*type=face_restoration*", lambda route: route.fulfill(json=listed))


def choose(page: Page, name: str) -> None:
    page.get_by_role("combobox", name="Face restoration").click()
    page.get_by_role("option", name=name).click()


def sent(page: Page) -> dict[str, object]:
    page.route("**/v1/jobs", lambda route: route.abort())
    with page.expect_request(is_job) as request:
        page.get_by_role("button", name="Generate on Cloud").click()
    return params_of(request.value)


@pytest.mark.parametrize(("family", "offered"), [(Family.GFPGAN, 2), (Family.CODEFORMER, 3)])
def test_codeformer_is_offered_where_its_file_is(open_page: OpenPage, family: Family, offered: int) -> None:
    page = open_page("/generate/txt2img")
    uploaded(page, family)
    page.reload()
    page.get_by_role("combobox", name="Face restoration").click()

    expect(page.get_by_role("option")).to_have_count(offered)
    assert page.get_by_role("option").all_text_contents() == ["Off", "GFPGAN", "CodeFormer"][:offered]


def test_a_restorer_is_sent_by_webuis_field_and_options_and_off_takes_them_back(open_page: OpenPage) -> None:
    page = open_page("/generate/txt2img")
    uploaded(page, Family.CODEFORMER)
    page.reload()
    choose_checkpoint(page)
    choose(page, "GFPGAN")
    first = sent(page)
    choose(page, "CodeFormer")
    page.get_by_role("textbox", name="CodeFormer weight").fill("0.2")
    second = sent(page)
    choose(page, "Off")
    third = sent(page)

    assert (first["restore_faces"], first["override_settings"]) == (True, {"face_restoration_model": "GFPGAN"})
    assert second["override_settings"] == {"face_restoration_model": "CodeFormer", "code_former_weight": 0.2}
    assert "restore_faces" not in third
    assert third.get("override_settings") in (None, {})


def test_extras_restores_faces_by_both(open_page: OpenPage) -> None:
    page = open_page("/generate/extras")
    expect(page.get_by_role("textbox", name="GFPGAN visibility")).to_be_visible()
    expect(page.get_by_role("textbox", name="CodeFormer visibility")).to_have_count(0)
    uploaded(page, Family.CODEFORMER)
    page.reload()
    page.set_input_files("input[type=file]", PICTURE)
    page.get_by_role("textbox", name="GFPGAN visibility").fill("0.3")
    page.get_by_role("textbox", name="CodeFormer visibility").fill("0.6")
    page.get_by_role("textbox", name="CodeFormer weight").fill("0.1")

    params = sent(page)

    names = ("gfpgan_visibility", "codeformer_visibility", "codeformer_weight")
    assert tuple(params[name] for name in names) == (0.3, 0.6, 0.1)
