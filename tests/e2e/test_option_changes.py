"""Options are changed on a deployed stage, on and off again, while jobs wait: none is lost."""

import base64
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.contract.job_bodies import CreateJob
from generate_on_cloud.contract.jobs import JobStatus, Task
from infrastructure.kept_options import read_kept
from local_cloud.clients import LocalClients
from local_cloud.cloud import LocalCloud
from local_cloud.deployment import Deployer
from tests.tiny_checkpoint import write_tiny_checkpoint

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600), pytest.mark.xdist_group("local-cloud")]

ROOT = Path(__file__).parents[2]
IN_TURN: tuple[dict[str, str], ...] = (
    {},
    {"kms_key": "new", "idle_minutes": "12"},
    {"idle_minutes": "12", "max_instances": "2", "waf": "true", "sdapi": "true"},
    {"alarm_email": "oncall@example.com", "instance_type": "ml.g6.xlarge"},
    {},
)
"""The key is turned on and off, numbers and the instance type change, and all goes back to the defaults."""

SYNTHESISE_EACH = """
import json, sys
from pathlib import Path
from infrastructure.node import choose_node
choose_node()
from infrastructure.assembly import synthesise
for folder, context in json.load(sys.stdin):
    synthesise(outdir=Path(folder), context={**context, "local": "true"})
"""


def webui_drawing(cloud: LocalCloud, params: dict[str, Any]) -> httpx.Response:
    """The stage's answer to a bot: the same request until its job has ended, as the answer says."""
    url, auth = f"{cloud.api_url}/sdapi/v1/txt2img", ("bot", cloud.admin_key)
    answers = (httpx.post(url, json=params, auth=auth, timeout=300) for _ in range(10))
    return next(answer for answer in answers if answer.status_code != httpx.codes.GATEWAY_TIMEOUT)


def test_options_are_changed_in_turn_while_jobs_wait(tmp_path: Path) -> None:
    folders = [tmp_path / f"assembly{number}" for number in range(len(IN_TURN))]
    told = [[str(folder), context] for folder, context in zip(folders, IN_TURN, strict=True)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("CDK_", "AWS_"))}
    subprocess.run(
        [sys.executable, "-c", SYNTHESISE_EACH],
        cwd=ROOT, env=environment, input=json.dumps(told), text=True, check=True, timeout=300,
    )  # fmt: skip
    params = {"prompt": "a star", "steps": 2, "width": 64, "height": 64, "seed": 1}
    with LocalCloud(tmp_path / "state", assembly=folders[0]) as cloud:
        clients = LocalClients(cloud.endpoint_url, cloud.root)
        kept, jobs, answers = [], [], []
        with GenerateOnCloud(cloud.api_url, cloud.admin_key) as service:
            service.assets.upload(write_tiny_checkpoint(tmp_path / "tiny.safetensors"), "checkpoint")
            for folder in folders[1:]:
                jobs.append(
                    service.jobs.submit(CreateJob(task=Task.TXT2IMG, params=params, checkpoint="tiny.safetensors"))
                )
                deployment = Deployer(clients).deploy(folder)
                kept.append(read_kept(clients.client, "GenerateOnCloud"))  # type: ignore[arg-type]
                answers.append(webui_drawing(cloud, params))
            ended = [service.jobs.finish(job.job_id) for job in jobs]

        assert [answer.status_code for answer in answers] == [404, 200, 404, 404]
        with Image.open(io.BytesIO(base64.b64decode(answers[1].json()["images"][0]))) as drawn:
            assert drawn.size == (64, 64)
        assert deployment.api_url == cloud.api_url
        assert kept == list(IN_TURN[1:])
        assert [job.status for job in ended] == [JobStatus.SUCCEEDED] * len(jobs)
