"""Small facts have one home each; whoever else tells them has them from there."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from generate_on_cloud import __version__
from generate_on_cloud.contract.endpoints import DEFAULT_BACKLOG_PER_INSTANCE, DEFAULT_IDLE_MINUTES, CreateEndpoint
from generate_on_cloud.contract.instances import HOUR_USD
from generate_on_cloud.cost import Usage
from generate_on_cloud.standing import read_prices
from inference_container.drawing.results import SOFTWARE
from infrastructure.config import StageConfig
from webui_extension import __version__ as panel_version

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def test_the_version_is_that_of_the_package_everywhere() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    document = json.loads((ROOT / "docs" / "openapi.json").read_text())

    assert pyproject["project"]["dynamic"] == ["version"]
    assert pyproject["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "generate_on_cloud.__version__"}
    assert f"generate-on-cloud {__version__}" == SOFTWARE
    assert f"`{SOFTWARE}`" in (ROOT / "docs" / "fidelity.md").read_text()
    assert document["info"]["version"] == __version__
    assert panel_version == __version__
    for name in ("package.json", "package-lock.json"):
        assert json.loads((ROOT / "clients/typescript" / name).read_text())["version"] == __version__


def test_an_endpoint_scales_alike_whether_a_stage_or_a_user_made_it() -> None:
    for endpoint in (StageConfig, CreateEndpoint):
        assert endpoint.model_fields["idle_minutes"].default == DEFAULT_IDLE_MINUTES
        assert endpoint.model_fields["backlog_per_instance"].default == DEFAULT_BACKLOG_PER_INSTANCE
    assert Usage.idle_minutes == DEFAULT_IDLE_MINUTES


def test_every_page_that_tells_the_idle_minutes_tells_the_default() -> None:
    told = {
        page.name: set(re.findall(r"`idle_minutes`(?: \((?:default )?| \| )(\d+)", page.read_text())) for page in PAGES
    }

    assert told["deploy.md"] == {str(DEFAULT_IDLE_MINUTES)}
    assert set().union(*told.values()) == {str(DEFAULT_IDLE_MINUTES)}
    assert f"the {NUMBERS[DEFAULT_IDLE_MINUTES]} (`idle_minutes`)" in (ROOT / "docs" / "cost.md").read_text()


@pytest.mark.parametrize("instance_type", HOUR_USD)
def test_an_instance_costs_the_same_deployed_and_estimated(instance_type: str) -> None:
    deployed = StageConfig(instance_type=instance_type).price_per_hour

    assert deployed == read_prices().instance_hour[instance_type] == HOUR_USD[instance_type]
    assert "instance_hour" not in json.loads((ROOT / "generate_on_cloud" / "prices.json").read_text())


def test_the_firewall_costs_what_pages_and_options_say() -> None:
    dollars = f"about {read_prices().firewall_month:.0f} dollars"

    assert dollars in (ROOT / "docs" / "deploy.md").read_text()
    assert dollars in (ROOT / "infrastructure" / "config.py").read_text()


def test_versions_told_beside_the_pins_are_those_of_the_pins() -> None:
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines())
    (built_by,) = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    page = (ROOT / "docs" / "architecture" / "05-decisions.md").read_text().partition("## Versions")[2]

    told = re.findall(r"\b([a-z0-9-]+)(?: |==)(\d+(?:\.\d+)+)", page)

    assert {"torch", "diffusers", "boto3"} <= {name for name, _ in told}
    for name, version in [*told, tuple(built_by.split("=="))]:
        assert f"{pins[name]}.".startswith(f"{version}."), f"{name} is pinned to {pins[name]}"
    (cdk,) = re.findall(r"aws-cdk@([\d.]+)", (ROOT / "infrastructure" / "deploy.py").read_text())
    assert f"npm `aws-cdk` {cdk} exactly" in page
