"""`make grants`: run every scenario on a local cloud of its own, print the mutation table and write docs/grants.md."""

import sys
import tempfile
import time
from pathlib import Path

from client.cloud import GenerateOnCloud
from local_cloud.cloud import LocalCloud
from tests.e2e.conftest import CHECKPOINT
from tests.grants.deployed import read_deployed
from tests.grants.page import DEPLOYMENT, PAGE, made, write
from tests.grants.recording import Recorder, needed_by
from tests.grants.scenarios import SCENARIOS, Visit
from tests.tiny_checkpoint import write_tiny_checkpoint


def main() -> int:
    """0, or 1 when a grant has neither a scenario nor a reason."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with (
            LocalCloud(folder / "state", record_requests=True) as cloud,
            GenerateOnCloud(cloud.api_url, cloud.admin_key) as service,
        ):
            recorder = Recorder(cloud)
            recorder.keep(DEPLOYMENT, began=0)
            service.assets.upload(write_tiny_checkpoint(folder / CHECKPOINT), "checkpoint")
            visit = Visit(cloud, service, folder)
            for scenario in SCENARIOS:
                began = time.monotonic()
                with recorder.scenario(scenario.__name__):
                    scenario(visit)
                print(f"{scenario.__name__}: {len(recorder.requests[scenario.__name__])} calls", end=" ", flush=True)
                print(f"({time.monotonic() - began:.0f} s)", flush=True)
            deployed = read_deployed(cloud)
            table = needed_by(deployed, recorder.requests, region=cloud.settings.region)
    rows, unexplained = made(deployed, table)
    for one in rows:
        print(one.role, one.action, one.resource, "→", one.why)
    for subject in unexplained:
        print("no scenario needs, and no reason is given for:", subject, file=sys.stderr)
    if not unexplained:
        PAGE.write_text(write(sorted(rows, key=lambda one: (one.role, one.action, one.resource))))
    return int(bool(unexplained))


if __name__ == "__main__":
    sys.exit(main())
