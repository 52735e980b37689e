"""Small jobs of the demo checkpoint for the browser tests."""

from typing import Final

from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.contract.job_bodies import CreateJob, JobView
from generate_on_cloud.contract.jobs import Task

PROMPT: Final = "a large red circle on a white background"


def submit(service: GenerateOnCloud, **params: object) -> JobView:
    """Send one of 64 by 64 pixels and 4 steps with the seed 7, unless `params` say otherwise."""
    small = {"prompt": PROMPT, "width": 64, "height": 64, "steps": 4, "seed": 7}
    return service.jobs.submit(CreateJob(task=Task.TXT2IMG, checkpoint="shapes", params={**small, **params}))
