"""Settings of one local cloud: where its state is, which port it uses, which container it runs."""

import sys
from dataclasses import dataclass, field
from pathlib import Path

from local_cloud.faults import NotificationFaults
from local_cloud.unkindness import Unkindness

REPOSITORY = Path(__file__).resolve().parent.parent
"""Root of the sources; the container and the synthesis run here."""

DEFAULT_STATE_DIR = REPOSITORY / ".local_cloud"
DEFAULT_PORT = 4747
DEFAULT_REGION = "us-east-1"
ACCOUNT = "000000000000"
"""The emulator's account."""

CONTAINER_COMMAND = (sys.executable, "-m", "inference_container.server")


@dataclass(frozen=True, kw_only=True)
class LocalSettings:
    """One local cloud. Two can run at the same time with different folders and ports."""

    state_dir: Path
    """Absolute path. Everything that outlives the process is in it."""
    port: int
    region: str = DEFAULT_REGION
    container_command: tuple[str, ...] = field(default=CONTAINER_COMMAND)
    container_environment: tuple[tuple[str, str], ...] = ()
    """Environment variables that override those of the deployed model, such as another device."""
    assembly: Path | None = None
    """A synthesised cloud assembly to deploy; None: synthesise this repository."""
    notification_faults: NotificationFaults | None = None
    """How unreliable notifications about invocations are; None: reliable."""
    unkindness: Unkindness = field(default=Unkindness())
    """What AWS permits itself: events that come twice, indices that lag, few executions at once."""
    check_rights: bool = True
    """Check every call against its role's policies, as AWS does; benchmarks turn it off to measure its cost."""
    credential_seconds: float = 3600.0
    """The least that a function's credentials live; on AWS nobody knows. What they signed ends with them."""
    record_requests: bool = False
    """Write everything that roles request to `requests_file`."""
    context: tuple[tuple[str, str], ...] = ()
    """Options of the stage that is synthesised, as `make deploy` takes them."""
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
        """The container's disk cache."""
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
        """One JSON line per call by a role: role, action, resource, condition keys, whether it was allowed."""
        return self.state_dir / "requests.jsonl"

    @property
    def credentials_file(self) -> Path:
        """The credential with all rights in the current run, for `AWS_SHARED_CREDENTIALS_FILE`."""
        return self.state_dir / "credentials"

    @property
    def secret_file(self) -> Path:
        """The random key from which the secrets of the roles' sessions are computed, so that they outlive a restart."""
        return self.state_dir / "secret"

    @property
    def account_file(self) -> Path:
        """JSON for `account`; write it to emulate an account without the usual quotas."""
        return self.state_dir / "account.json"

    @property
    def ready_file(self) -> Path:
        """JSON written when everything is deployed, removed when the cloud stops."""
        return self.state_dir / "ready.json"
