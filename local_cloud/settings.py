"""What one local cloud is told: where its state is, which port it serves, which container it runs."""

import sys
from dataclasses import dataclass, field
from pathlib import Path

from local_cloud.faults import NotificationFaults

REPOSITORY = Path(__file__).resolve().parent.parent
"""Root of the sources; the container and the synthesis run here."""

DEFAULT_STATE_DIR = REPOSITORY / ".local_cloud"
DEFAULT_PORT = 4747
DEFAULT_REGION = "us-east-1"
ACCOUNT = "000000000000"
"""The emulator's account; also the dummy access key, which it reads as the account of the caller."""

CONTAINER_COMMAND = (sys.executable, "-m", "inference_container.server")


@dataclass(frozen=True, kw_only=True)
class LocalSettings:
    """One local cloud. Two of them may run side by side with different folders and ports."""

    state_dir: Path
    """Absolute. Holds everything that outlives the process."""
    port: int
    region: str = DEFAULT_REGION
    container_command: tuple[str, ...] = field(default=CONTAINER_COMMAND)
    container_environment: tuple[tuple[str, str], ...] = ()
    """Variables that win over those of the deployed model, e.g. another device."""
    assembly: Path | None = None
    """A synthesised cloud assembly to deploy; None: synthesise this repository."""
    notification_faults: NotificationFaults | None = None
    """How badly notifications about invocations travel; None: well."""
    check_rights: bool = True
    """Hold every call against its role's policies, as AWS does; without it benchmarks see what that takes."""
    record_requests: bool = False
    """Keep what every role asked for in `requests_file`."""
    synthesis_command: tuple[str, ...] = (sys.executable, "app.py", "-c", "local=true")

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def emulator_dir(self) -> Path:
        """State of the AWS services, one JSON file each, and the DynamoDB journal."""
        return self.state_dir / "aws"

    @property
    def objects_dir(self) -> Path:
        """S3 objects as plain files."""
        return self.state_dir / "s3"

    @property
    def scratch_dir(self) -> Path:
        """Temporary files of the emulator and of the Lambda workers; emptied at every start."""
        return self.state_dir / "tmp"

    @property
    def cache_dir(self) -> Path:
        """Disk cache of the container."""
        return self.state_dir / "container-cache"

    @property
    def log_dir(self) -> Path:
        return self.state_dir / "logs"

    @property
    def sagemaker_file(self) -> Path:
        """SQLite database of models, endpoint configurations, endpoints and queued invocations."""
        return self.state_dir / "sagemaker.sqlite3"

    @property
    def requests_file(self) -> Path:
        """A JSON line for each call a role made: role, action, resource, condition keys, whether it was allowed."""
        return self.state_dir / "requests.jsonl"

    @property
    def account_file(self) -> Path:
        """JSON of `account_wire`, written by whoever wants another account than one that was granted everything."""
        return self.state_dir / "account.json"

    @property
    def ready_file(self) -> Path:
        """JSON written when everything is deployed, removed when the cloud stops."""
        return self.state_dir / "ready.json"
