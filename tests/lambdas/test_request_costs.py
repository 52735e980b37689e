"""No request takes more AWS calls than it has to."""

from collections.abc import Iterator

import pytest

from tests.lambdas.cloud import Aws, Cloud, open_cloud
from tests.lambdas.request_costs import COSTS, RequestCost, furnish


@pytest.fixture(scope="module")
def furnished(aws: Aws) -> Iterator[Cloud]:
    """One for all rows: making the tables takes longer than a request."""
    with open_cloud(aws) as cloud:
        furnish(cloud)
        yield cloud


@pytest.mark.parametrize("cost", COSTS, ids=lambda cost: cost.name)
def test_a_request_takes_these_calls_of_aws(furnished: Cloud, cost: RequestCost) -> None:
    assert cost.measured(furnished) == cost.calls
