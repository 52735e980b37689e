"""Nobody has to read more than this to follow a request."""

import pytest

from tests.lambdas.cloud import Cloud
from tests.lambdas.reading import WAYS, Way, recorded


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_a_way_runs_through_few_files_and_goes_through_few_at_a_time(cloud: Cloud, way: Way) -> None:
    cloud.checkpoint()

    reading = way.read(cloud)

    assert len(reading.files) <= way.files, f"{way.name}: {reading}"
    assert reading.depth <= way.depth, f"{way.name}: {reading}"
    # Who makes a way shorter lowers its budget.
    assert len(reading.files) == way.files, f"{way.name}: {reading}"


def test_functions_are_counted_by_file_and_stack_and_bodies_of_modules_are_not() -> None:
    from lambdas.problems import shortened

    with recorded() as nothing:
        pass
    with recorded() as one:
        shortened("text")

    assert (nothing.files, nothing.depth) == (set(), 0)
    assert (one.files, one.deepest) == ({"lambdas/problems.py"}, ("lambdas/problems.py",))
