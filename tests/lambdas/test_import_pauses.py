"""An import that is paused stops with what it has, and goes on from there when its owner says where from."""

from datetime import timedelta

import pytest

from lambdas.assets.work import ImportOrder
from lambdas.functions.asset_import import ImportRun
from tests.fetch.local_sites import Sites
from tests.lambdas.asset_imports import BIG, SMALL_PARTS, file_server, import_run, importing, look
from tests.lambdas.asset_uploads import leftovers, sweep
from tests.lambdas.cloud import Cloud, aws_error
from tests.lambdas.model_bytes import sha256_of


def run(one: ImportRun, order: ImportOrder, *, worker: str = "w") -> bool:
    return one.run(order, worker=worker, time_left=lambda: 900.0)


def half_way(cloud: Cloud, sites: Sites) -> tuple[ImportOrder, str]:
    """An import that was paused after its first part; its order and URL."""
    url = sites.on("/a", file_server(BIG))
    order = importing(cloud, url)
    times = iter([900.0, 900.0, 1.0, 1.0])
    assert import_run(cloud, sites.fetch).run(order, worker="w", time_left=lambda: next(times))
    assert cloud.ask("POST", f"/v1/assets/{order.asset_id}/pause").ok()["paused"]
    return order, url


def resume(cloud: Cloud, order: ImportOrder, url: str, **more: str) -> ImportOrder:
    answer = cloud.ask("POST", f"/v1/assets/{order.asset_id}/resume", {"source_url": url, **more}).ok()
    assert (answer["status"], answer["paused"]) == ("importing", False)
    return ImportOrder.model_validate(cloud.functions.called[-1][1])


def test_a_paused_import_goes_on_after_its_last_part_with_the_token_that_is_given_again(
    cloud: Cloud, sites: Sites
) -> None:
    order, url = half_way(cloud, sites)
    paused = look(cloud, order)
    stale = run(import_run(cloud, sites.fetch), order.model_copy(update={"before": "w", "number": 2}), worker="x")
    between = len(sites.asked)

    again = resume(cloud, order, url, bearer_token="hush")
    run(import_run(cloud, sites.fetch), again)

    assert (paused["status"], paused["paused"], paused["received"]) == ("importing", True, SMALL_PARTS)
    assert stale is False
    assert sites.asked[between].headers["range"] == f"bytes={SMALL_PARTS}-"
    assert sites.asked[between].headers["authorization"] == "Bearer hush"
    assert look(cloud, order)["status"] == "active"
    assert look(cloud, order)["sha256"] == sha256_of(BIG)
    assert "hush" not in str(cloud.all_assets())


def test_a_run_that_is_paused_stops_at_its_next_part(cloud: Cloud, sites: Sites) -> None:
    url = sites.on("/a", file_server(BIG))
    order = importing(cloud, url)
    looks = 0

    def time_left() -> float:
        nonlocal looks
        looks += 1
        if looks == 3:
            cloud.ask("POST", f"/v1/assets/{order.asset_id}/pause").ok()
        return 900.0

    again = import_run(cloud, sites.fetch).run(order, worker="w", time_left=time_left)

    assert (again, look(cloud, order)["paused"]) == (False, True)
    run(import_run(cloud, sites.fetch), resume(cloud, order, url))
    assert look(cloud, order)["status"] == "active"


def test_pausing_and_resuming_twice_changes_nothing(cloud: Cloud, sites: Sites) -> None:
    order, url = half_way(cloud, sites)

    assert cloud.ask("POST", f"/v1/assets/{order.asset_id}/pause").ok()["paused"]
    resume(cloud, order, url)
    started = len(cloud.functions.called)
    assert not cloud.ask("POST", f"/v1/assets/{order.asset_id}/resume", {"source_url": url}).ok()["paused"]

    assert len(cloud.functions.called) == started


def test_the_sweep_leaves_a_paused_import_alone_for_a_week(cloud: Cloud, sites: Sites) -> None:
    order, url = half_way(cloud, sites)
    cloud.clock.now += timedelta(days=3)
    sweep(cloud)
    kept = look(cloud, order)["status"]
    resume(cloud, order, url)
    sweep(cloud)
    resumed = look(cloud, order)["status"]
    cloud.ask("POST", f"/v1/assets/{order.asset_id}/pause").ok()
    cloud.clock.now += timedelta(days=5)
    sweep(cloud)

    assert (kept, resumed) == ("importing", "importing")
    assert look(cloud, order)["error"] == "paused, and not completed within 7 days"
    assert leftovers(cloud) == []


@pytest.mark.parametrize("action", ["pause", "resume"])
def test_only_an_import_in_progress_of_ones_own_is_paused_or_resumed(cloud: Cloud, sites: Sites, action: str) -> None:
    url = sites.on("/a", file_server(BIG))
    order = importing(cloud, url)
    body = {"source_url": url} if action == "resume" else None

    stranger = cloud.ask("POST", f"/v1/assets/{order.asset_id}/{action}", body, user="bob")
    run(import_run(cloud, sites.fetch), order)
    late = cloud.ask("POST", f"/v1/assets/{order.asset_id}/{action}", body)

    assert stranger.status in (403, 404)
    problem = late.problem(409, "asset_state_conflict")
    assert f"is active; only an import in progress can be {action.removesuffix('e')}ed" in problem["detail"]


def test_an_import_is_resumed_only_from_the_host_it_began_with(cloud: Cloud, sites: Sites) -> None:
    order, _ = half_way(cloud, sites)

    refused = cloud.ask("POST", f"/v1/assets/{order.asset_id}/resume", {"source_url": "https://other.example/a"})

    (error,) = refused.problem(422, "invalid_params")["errors"]
    assert error["pointer"] == "/source_url"
    assert "received a URL on other.example; allowed:" in error["message"]
    assert look(cloud, order)["paused"]


def test_a_resume_whose_function_cannot_be_called_stays_paused(cloud: Cloud, sites: Sites) -> None:
    order, url = half_way(cloud, sites)

    def fail(**_: object) -> object:
        raise aws_error("ServiceException")

    cloud.functions.invoke = fail  # type: ignore[method-assign]
    cloud.ask("POST", f"/v1/assets/{order.asset_id}/resume", {"source_url": url}).problem(500, "internal")

    assert look(cloud, order)["paused"]
