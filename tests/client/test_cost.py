"""What a deployment costs: the parts add up, idle is cheap, and the page says what the model says."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from generate_on_cloud.cli.command import app
from generate_on_cloud.cost import Usage, cost_table, estimate
from generate_on_cloud.standing import IMAGE_GB, idle_month, read_prices, storage_lines

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cost.md"
USAGE = Usage(instance_type="ml.g5.xlarge", images=3600, seconds_per_image=1.0, wake_ups=0, models_gb=0)


def test_the_gpu_is_paid_by_the_hour_it_draws_starts_and_idles() -> None:
    prices = read_prices()
    hour = prices.instance_hour["ml.g5.xlarge"]

    lines = estimate(replace(USAGE, wake_ups=6, start_minutes=10, idle_minutes=5), prices).lines

    assert lines["GPU, drawing"] == pytest.approx(hour)
    assert lines["GPU, starting"] == pytest.approx(hour)
    assert lines["GPU, idle before it sleeps"] == pytest.approx(hour / 2)


def test_twice_the_pictures_cost_twice_what_pictures_cost() -> None:
    prices = read_prices()

    once, twice = (estimate(replace(USAGE, images=images), prices).total for images in (1000, 2000))

    assert twice - once == pytest.approx(once - idle_month(prices) - storage_lines(prices)["images in ECR"])


def test_the_page_has_the_figures_of_the_model() -> None:
    prices = read_prices()
    page = PAGE.read_text()

    assert cost_table(prices, seconds_per_image=5.0) in page
    assert f"costs {idle_month(prices):.2f} " in page
    assert f"{storage_lines(prices)['images in ECR']:.2f} for the container's image ({IMAGE_GB:g} GB)" in page
    assert re.search(rf"on {prices.as_of}, from", page)


def test_idle_is_below_a_dollar_a_month_without_free_allowances() -> None:
    assert idle_month(read_prices()) <= 1.00


def test_waiting_costs_what_holds_the_function_and_a_cold_start_is_waited_for() -> None:
    prices = read_prices()

    asleep, awake = (
        estimate(replace(USAGE, wake_ups=ups, start_minutes=10), prices).lines["waiting for results"] for ups in (0, 6)
    )
    alone = estimate(replace(USAGE, watched=0.0), prices).lines["waiting for results"]

    # An hour of drawing is an hour of waiting: 1,800 GB seconds and 144 requests.
    assert asleep == pytest.approx(1800 * prices.lambda_gb_second + 144 * 3.7 / 1e6)
    assert awake == pytest.approx(2 * asleep)
    assert alone == 0


def test_the_command_prints_every_part_and_the_sum() -> None:
    said = CliRunner().invoke(app, ["cost", "estimate", "--images", "500", "--json"])

    document = json.loads(said.stdout)
    assert said.exit_code == 0
    assert document["usage"]["images"] == 500
    assert document["total"] == pytest.approx(sum(document["usd"].values()))


def test_an_unknown_instance_type_is_refused_with_those_that_have_a_price() -> None:
    said = CliRunner().invoke(app, ["cost", "estimate", "--instance-type", "ml.p9.large"])

    assert said.exit_code == 2
    assert "ml.p9.large" in said.output
    assert "ml.g5.xlarge" in said.output
