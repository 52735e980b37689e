"""Habits of the hand on the canvas, each as what it does to the mask or picture that is sent; no job runs."""

import base64
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import CDPSession, Page, expect

from tests.console.canvas import SIDE, Canvas, Pixels, canvas_of
from tests.console.form import is_job, params_of

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600), pytest.mark.xdist_group("console")]
OpenPage = Callable[..., Page]
BLUE = (40, 80, 200)
STORED_STEPS = """(count) => new Promise((done) => {
    const opened = indexedDB.open("keyval-store");
    opened.onsuccess = () => {
        const asked = opened.result.transaction("keyval").objectStore("keyval").get("goc.form");
        asked.onsuccess = () => done(asked.result?.state?.drawings?.inpaint?.steps?.length === count);
    };
})"""
expect.set_options(timeout=60_000)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("canvas") / "blue.png"
    Image.new("RGB", (SIDE, SIDE), BLUE).save(file)
    return file


@pytest.fixture
def canvas(open_page: OpenPage, source: Path) -> Canvas:
    return canvas_of(open_page("/generate/inpaint"), source, "Paint the mask")


@pytest.fixture
def sketch(open_page: OpenPage, source: Path) -> Canvas:
    return canvas_of(open_page("/generate/sketch"), source, "Sketch on the picture")


def sent_picture(canvas: Canvas) -> Pixels:
    """The picture that the tab Sketch sends; the job is not created."""
    page = canvas.page
    page.route("**/v1/jobs", lambda route: route.abort())
    page.get_by_role("combobox", name="Checkpoint used on cloud").click()
    page.get_by_role("option", name="shapes").click()
    with page.expect_request(is_job) as sent:
        page.get_by_role("button", name="Generate on Cloud").click()
    picture = params_of(sent.value)["init_images"][0]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB"))


def test_the_brush_paints_white_and_nothing_else(canvas: Canvas) -> None:
    canvas.brush(40)
    canvas.drag((60, 128), (200, 128))

    mask = canvas.mask()

    assert mask.shape == (SIDE, SIDE)
    assert set(np.unique(mask)) == {0, 255}
    assert mask[128, 60:200].all()
    assert not mask[:100].any()


@pytest.mark.parametrize(
    ("make_larger", "make_smaller"), [("]", "["), ("w", "q")], ids=["square brackets", "WebUI's letters"]
)
def test_keys_change_the_size_of_the_brush(canvas: Canvas, make_larger: str, make_smaller: str) -> None:
    before = canvas.size()

    canvas.press(make_larger)
    larger = canvas.size()
    canvas.press(make_smaller)

    assert larger > before
    assert canvas.size() < larger


def test_control_and_the_wheel_change_the_size_and_the_ring_shows_it(canvas: Canvas) -> None:
    page, before = canvas.page, canvas.size()
    ring = page.locator(".brush-ring")
    page.mouse.move(*canvas.at(128, 128))
    with canvas.held("Control"):
        page.mouse.wheel(0, -100)
    expect(ring).to_have_text(str(canvas.size()))

    assert canvas.size() > before
    box, around = ring.bounding_box(), canvas.at(128, 128)
    assert box is not None
    assert abs(box["x"] + box["width"] / 2 - around[0]) < 2
    assert abs(box["y"] + box["height"] / 2 - around[1]) < 2


def test_each_kind_of_drawing_keeps_its_own_brush_size(open_page: OpenPage, source: Path) -> None:
    page = open_page("/generate/inpaint")
    canvas_of(page, source, "Paint the mask").brush(33)
    page.get_by_role("tab", name="Sketch", exact=True).click()
    colors = canvas_of(page, source, "Sketch on the picture")
    colors.brush(7)
    page.get_by_role("tab", name="Inpaint", exact=True).click()

    expect(page.get_by_role("slider", name="Brush size in pixels")).to_have_attribute("aria-valuenow", "33")


def test_a_brush_in_screen_pixels_is_thinner_on_a_picture_that_is_shown_larger(canvas: Canvas) -> None:
    canvas.brush(40)
    canvas.page.get_by_label("Brush size in screen pixels").check()
    left, right = canvas.at(0, 0), canvas.at(SIDE, 0)
    scale = (right[0] - left[0]) / SIDE
    canvas.click(128, 128)

    width = np.count_nonzero(canvas.mask()[128])

    assert scale > 1.5
    assert abs(width - 40 / scale) <= 2


def test_alt_and_the_wheel_zoom_about_the_pointer(canvas: Canvas) -> None:
    canvas.brush(4)
    x, y = canvas.at(200, 40)
    canvas.page.mouse.move(x, y)
    with canvas.held("Alt"):
        for _ in range(8):
            canvas.page.mouse.wheel(0, -100)
    canvas.page.mouse.click(x, y)
    canvas.page.mouse.click(x + 30, y)

    rows, columns = np.nonzero(canvas.mask())

    assert abs(columns.min() - 198) <= 1
    assert abs(rows.mean() - 39.5) <= 1
    # Thirty pixels of the screen are few of the picture now.
    assert columns.max() - columns.min() < 12


def test_the_wheel_moves_the_picture_where_one_wants_it_to(canvas: Canvas) -> None:
    canvas.brush(9)
    canvas.page.get_by_label("Wheel moves the picture (trackpad)").check()
    x, y = canvas.at(128, 128)
    scale = canvas.at(1, 0)[0] - canvas.at(0, 0)[0]
    canvas.page.mouse.move(x, y)
    canvas.page.mouse.wheel(0, 60 * scale)
    canvas.page.mouse.click(x, y)

    rows = np.nonzero(canvas.mask())[0]

    assert abs(rows.mean() - (128 + 60)) <= 2


@pytest.mark.parametrize("way", ["Space", "f", "middle button"])
def test_the_picture_is_dragged_and_nothing_is_painted_by_it(canvas: Canvas, way: str) -> None:
    canvas.brush(9)
    x, y = canvas.at(128, 128)
    if way == "middle button":
        canvas.drag((128, 128), (168, 128), button="middle")
    else:
        with canvas.held(way):
            canvas.drag((128, 128), (168, 128))
    canvas.page.mouse.click(x, y)

    rows, columns = np.nonzero(canvas.mask())

    assert abs(columns.mean() - (128 - 40)) <= 2
    assert np.ptp(rows) < 12


@pytest.mark.parametrize("key", ["r", "Control+0"])
def test_a_key_shows_the_whole_picture_again(canvas: Canvas, key: str) -> None:
    canvas.brush(9)
    canvas.page.mouse.move(*canvas.at(10, 10))
    canvas.page.mouse.wheel(0, -300)
    canvas.press(key)
    canvas.click(128, 128)

    rows, columns = np.nonzero(canvas.mask())

    assert abs(columns.mean() - 128) <= 1
    assert abs(rows.mean() - 128) <= 1


def test_control_1_shows_a_pixel_of_the_picture_as_one_of_the_screen(canvas: Canvas) -> None:
    canvas.brush(20)
    canvas.press("Control+1")
    canvas.page.mouse.move(*canvas.at(128, 128))

    box = canvas.page.locator(".brush-ring").bounding_box()

    assert box is not None
    assert abs(box["width"] - 20) <= 1


def test_s_fills_the_window_with_the_canvas_and_escape_leaves(canvas: Canvas) -> None:
    before = canvas.view.bounding_box()
    canvas.press("s")
    expect(canvas.page.get_by_role("button", name="Leave full screen")).to_be_visible()
    full = canvas.view.bounding_box()
    canvas.brush(9)
    canvas.click(128, 128)
    canvas.press("Escape")
    expect(canvas.page.get_by_role("button", name="Full screen", exact=True)).to_be_visible()

    assert before is not None
    assert full is not None
    assert full["width"] > 1.3 * before["width"]
    assert canvas.mask()[128, 128] == 255


@pytest.mark.parametrize("way", ["e", "Alt", "right button", "the pen's other end"])
def test_every_eraser_takes_away_what_was_painted(canvas: Canvas, way: str) -> None:
    canvas.brush(40)
    canvas.drag((40, 128), (216, 128))
    if way == "e":
        canvas.press("e")
        canvas.click(128, 128)
    elif way == "Alt":
        with canvas.held("Alt"):
            canvas.click(128, 128)
    elif way == "right button":
        canvas.drag((128, 128), (128, 128), button="right")
    else:
        x, y = canvas.at(128, 128)
        canvas.view.evaluate(
            """(view, {x, y}) => {
                const options = {pointerId: 1, pointerType: "pen", button: 5, buttons: 32, pressure: 1, clientX: x,
                    clientY: y, bubbles: true};
                for (const name of ["pointerdown", "pointerup"]) view.dispatchEvent(new PointerEvent(name, options));
            }""",
            {"x": x, "y": y},
        )

    mask = canvas.mask()

    assert not mask[128, 128]
    assert mask[128, 60]
    assert mask[128, 200]


def test_a_lasso_fills_what_it_surrounds(canvas: Canvas) -> None:
    canvas.press("l")
    canvas.drag((50, 50), (200, 50), (50, 200))

    mask = canvas.mask()

    assert mask[80, 80]
    assert not mask[190, 190]


def test_a_rectangle_is_filled_to_its_edges(canvas: Canvas) -> None:
    canvas.press("m")
    canvas.drag((50, 60), (200, 180))

    mask = canvas.mask()

    rows, columns = np.nonzero(mask)
    assert np.allclose([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], [50, 60, 200, 180], atol=1)
    assert mask[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].all()


def test_a_rectangle_with_alt_erases(canvas: Canvas) -> None:
    canvas.press("m")
    canvas.drag((20, 20), (230, 230))
    with canvas.held("Alt"):
        canvas.drag((100, 100), (150, 150))

    mask = canvas.mask()

    assert not mask[125, 125]
    assert mask[50, 50]


def test_shift_and_a_click_draw_a_straight_line_from_the_last_stroke(canvas: Canvas) -> None:
    canvas.brush(10)
    canvas.click(40, 40)
    with canvas.held("Shift"):
        canvas.click(200, 200)

    mask = canvas.mask()

    assert all(mask[i, i] for i in range(40, 200))
    assert not mask[40, 200]


def test_a_mask_is_inverted_cleared_and_both_are_undone(canvas: Canvas) -> None:
    canvas.brush(40)
    canvas.click(128, 128)
    painted = canvas.mask()
    canvas.press("Shift+V")
    inverted = canvas.mask()
    canvas.page.get_by_role("button", name="Clear").click()
    cleared = canvas.mask()
    canvas.press("Control+z")
    canvas.press("Control+z")

    # Where the round edge covers half a pixel, it counts as black both times.
    assert np.count_nonzero(inverted == painted) <= 4
    assert not cleared.any()
    assert (canvas.mask() == painted).all()


def test_a_saved_mask_is_loaded_again_as_it_was(canvas: Canvas, tmp_path: Path) -> None:
    canvas.brush(40)
    canvas.drag((60, 128), (200, 90))
    saved = canvas.mask()
    Image.fromarray(saved).save(tmp_path / "mask.png")
    canvas.page.get_by_role("button", name="Clear").click()
    canvas.page.get_by_role("group", name="Source picture").locator("input[type=file]").nth(1).set_input_files(
        tmp_path / "mask.png"
    )
    expect(canvas.page.get_by_role("button", name="Redo")).to_be_disabled()

    assert (canvas.mask() == saved).all()


def test_colour_and_opacity_of_the_shown_mask_do_not_change_the_mask(canvas: Canvas) -> None:
    page = canvas.page
    canvas.brush(60)
    canvas.click(128, 128)
    before = canvas.mask()
    page.get_by_role("textbox", name="Colour of the mask on the screen").fill("#00ff00")
    opacity = page.get_by_role("slider", name="Opacity of the mask on the screen")
    opacity.press("End")
    page.mouse.move(0, 0)
    expect(page.locator(".canvas-view canvas").last).to_have_css("opacity", "1")

    assert seen(canvas, 128, 128) == (0, 255, 0)
    assert seen(canvas, 20, 20) == BLUE
    assert (canvas.mask() == before).all()


def seen(canvas: Canvas, x: float, y: float) -> tuple[int, int, int]:
    """The colour on the screen where that pixel of the picture is."""
    shot = Image.open(io.BytesIO(canvas.page.screenshot())).convert("RGB")
    left, top = canvas.at(x, y)
    pixel = shot.getpixel((int(left), int(top)))
    assert isinstance(pixel, tuple)
    return pixel[0], pixel[1], pixel[2]


def test_the_pressure_of_a_pen_is_the_width_of_its_stroke(canvas: Canvas) -> None:
    canvas.brush(60)
    cdp = canvas.page.context.new_cdp_session(canvas.page)
    for y, force in ((60, 0.25), (180, 1.0)):
        pen(cdp, canvas, [(80, y), (180, y)], force)

    mask = canvas.mask()

    thin, thick = np.count_nonzero(mask[:120, 130]), np.count_nonzero(mask[120:, 130])
    assert 13 <= thin <= 17
    assert 58 <= thick <= 62


def pen(cdp: CDPSession, canvas: Canvas, places: list[tuple[float, float]], force: float) -> None:
    kinds = ["mousePressed"] + ["mouseMoved"] * (len(places) - 1) + ["mouseReleased"]
    for kind, place in zip(kinds, [*places, places[-1]], strict=True):
        x, y = canvas.at(*place)
        cdp.send(
            "Input.dispatchMouseEvent",
            {
                "type": kind,
                "x": x,
                "y": y,
                "button": "left",
                "buttons": 1,
                "clickCount": 1,
                "pointerType": "pen",
                "force": force,
            },
        )


def touch(cdp: CDPSession, kind: str, *places: tuple[float, float]) -> None:
    points = [{"x": x, "y": y, "id": index} for index, (x, y) in enumerate(places)]
    cdp.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


def test_a_finger_draws_and_once_a_pen_was_seen_it_moves_the_picture(canvas: Canvas) -> None:
    canvas.brush(20)
    cdp = canvas.page.context.new_cdp_session(canvas.page)

    def swipe() -> None:
        touch(cdp, "touchStart", canvas.at(60, 60))
        touch(cdp, "touchMove", canvas.at(120, 60))
        touch(cdp, "touchEnd")

    swipe()
    by_finger = canvas.mask()
    pen(cdp, canvas, [(60, 200), (120, 200)], 1.0)
    by_pen = canvas.mask()
    swipe()

    assert by_finger[60, 60:120].all()
    assert by_pen[200, 60:120].all()
    assert (canvas.mask() == by_pen).all()


def test_two_fingers_zoom_and_leave_no_mark(canvas: Canvas) -> None:
    canvas.brush(20)
    cdp = canvas.page.context.new_cdp_session(canvas.page)
    x, y = canvas.at(128, 128)
    touch(cdp, "touchStart", (x - 20, y))
    touch(cdp, "touchStart", (x - 20, y), (x + 20, y))
    touch(cdp, "touchMove", (x - 60, y), (x + 60, y))
    touch(cdp, "touchEnd")
    marks = canvas.mask().any()
    canvas.page.mouse.move(x, y)
    ring = canvas.page.locator(".brush-ring").bounding_box()

    assert not marks
    assert ring is not None
    scale = canvas.at(1, 0)[0] - canvas.at(0, 0)[0]
    assert abs(ring["width"] / (20 * scale) - 3) < 0.2


def test_a_sketch_has_the_colour_and_its_opacity(sketch: Canvas) -> None:
    sketch.brush(60)
    sketch.page.get_by_role("textbox", name="Brush colour").fill("#ff0000")
    sketch.click(60, 128)
    opacity = sketch.page.get_by_role("slider", name="Brush opacity")
    opacity.press("Home")
    for _ in range(9):
        opacity.press("ArrowRight")
    # Over itself, and still as see-through as once.
    sketch.drag((190, 128), (200, 128), (190, 128))

    picture = sent_picture(sketch).astype(int)

    assert tuple(picture[128, 60]) == (255, 0, 0)
    assert np.abs(picture[128, 195] - np.add(BLUE, (255, 0, 0)) / 2).max() <= 2
    assert tuple(picture[20, 20]) == BLUE


def test_i_picks_a_colour_and_x_swaps_it(sketch: Canvas) -> None:
    color = sketch.page.get_by_role("textbox", name="Brush colour")
    sketch.press("i")
    sketch.click(30, 30)
    expect(color).to_have_value("#2850c8")
    sketch.press("x")
    expect(color).to_have_value("#ffffff")
    sketch.press("x")
    expect(color).to_have_value("#2850c8")


def test_used_colours_are_offered_again(sketch: Canvas) -> None:
    color = sketch.page.get_by_role("textbox", name="Brush colour")
    for value in ("#11aa33", "#aa33ff"):
        color.fill(value)
        sketch.click(30, 30)
    color.click()
    swatches = sketch.page.locator(
        ".mantine-ColorInput-dropdown .mantine-ColorSwatch-root, .mantine-ColorPicker-swatch"
    )

    expect(swatches).to_have_count(2)


def test_the_original_is_seen_while_the_backslash_is_held(sketch: Canvas) -> None:
    sketch.brush(60)
    sketch.page.get_by_role("textbox", name="Brush colour").fill("#ff0000")
    sketch.click(128, 128)
    sketch.page.mouse.move(0, 0)

    assert seen(sketch, 128, 128) == (255, 0, 0)
    with sketch.held("Backslash"):
        expect(sketch.page.get_by_role("button", name="Original")).to_have_attribute("aria-pressed", "true")
        assert seen(sketch, 128, 128) == BLUE
    expect(sketch.page.get_by_role("button", name="Original")).to_have_attribute("aria-pressed", "false")
    assert seen(sketch, 128, 128) == (255, 0, 0)


def test_strokes_survive_another_tab_and_a_reload(canvas: Canvas) -> None:
    page = canvas.page
    canvas.brush(30)
    canvas.drag((60, 60), (200, 60))
    canvas.drag((60, 190), (200, 190))
    before = canvas.mask()
    page.get_by_role("tab", name="txt2img").click()
    page.get_by_role("tab", name="Inpaint", exact=True).click()
    after_tab = canvas.mask()
    page.wait_for_function(STORED_STEPS, arg=2)
    page.reload()
    after_reload = canvas.mask()
    canvas.press("Control+z")
    one = canvas.mask()
    canvas.press("Control+y")

    assert (after_tab == before).all()
    assert (after_reload == before).all()
    assert one[60, 60:200].all()
    assert not one[190].any()
    assert (canvas.mask() == before).all()
