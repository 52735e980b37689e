"""Jobs that name no endpoint, on a cloud that has two: the real container runs on both."""

from functools import partial

import pytest

from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.client.errors import ProblemError
from generate_on_cloud.contract.endpoints import CreateEndpoint
from generate_on_cloud.contract.job_bodies import CreateJob
from generate_on_cloud.contract.jobs import Task
from tests.e2e.conftest import CHECKPOINT
from tests.e2e.requests import endless, txt2img
from tests.patience import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600), pytest.mark.xdist_group("local-cloud")]
NAME = "goc-main-calm"
patiently = partial(wait_for, what="what the test waits for", seconds=300, every=0.1)


def test_a_job_goes_to_the_endpoint_that_has_less_to_do_and_is_drawn_there(service: GenerateOnCloud) -> None:
    service.endpoints.create(CreateEndpoint(name="calm", instance_type="ml.g5.xlarge", max_instances=2))
    busy = service.jobs.submit(
        CreateJob(task=Task.TXT2IMG, params=endless(), checkpoint=CHECKPOINT, endpoint="goc-main-default")
    )
    patiently(lambda: goes_to(service) == NAME)

    job = service.jobs.finish(
        service.jobs.submit(CreateJob(task=Task.TXT2IMG, params=txt2img(), checkpoint=CHECKPOINT)).job_id
    )
    service.jobs.cancel(busy.job_id)
    service.endpoints.delete("calm")
    patiently(lambda: is_gone(service))
    patiently(lambda: goes_to(service) == "goc-main-default")

    assert (job.endpoint, len(job.result.images if job.result else [])) == (NAME, 1)


def goes_to(service: GenerateOnCloud) -> str:
    """Where a job without an endpoint would go right now."""
    return service.jobs.submit(
        CreateJob(task=Task.TXT2IMG, params=txt2img(), checkpoint=CHECKPOINT, dry_run=True)
    ).endpoint


def is_gone(service: GenerateOnCloud) -> bool:
    try:
        service.endpoints.get("calm")
    except ProblemError as error:
        return error.problem.status == 404
    return False
