"""The environment of everything local: no trace of a real AWS account, its own credential, loopback only."""

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from local_cloud.root_credential import RootCredential
from local_cloud.settings import ACCOUNT, LocalSettings

STATE_VARIABLE = "GENERATE_ON_CLOUD_LOCAL_STATE"
"""Every process of a local cloud has its state folder in this variable, so that leftovers can be recognised."""

_SCRUBBED = ("PYTHONPATH", "LAMBDA_EXECUTOR", "BOTO_CONFIG")


class NotLoopbackError(Exception):
    """An address that is not on this machine was about to be used as AWS."""


def loopback_url(url: str) -> str:
    """Return `url` itself.

    Raises:
        NotLoopbackError: it does not point to this machine.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        is_loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    if parts.scheme != "http" or not is_loopback or parts.username is not None:
        raise NotLoopbackError(
            f"the local cloud never talks to a real AWS: received the endpoint {url!r}; allowed: http://127.0.0.1:PORT"
        )
    return url


def local_environment(settings: LocalSettings, environment: Mapping[str, str], root: RootCredential) -> dict[str, str]:
    """`environment` without any AWS account, profile, region or endpoint, and with those of the local cloud.

    boto3 in a Lambda or in the container then finds only the local cloud: the shared config files are ignored too,
    because they may name an endpoint, a role or a process that provides real credentials.
    """
    kept = {name: value for name, value in environment.items() if not name.startswith("AWS_") and name not in _SCRUBBED}
    return kept | {
        **root.variables,
        "AWS_REGION": settings.region,
        "AWS_DEFAULT_REGION": settings.region,
        "AWS_ENDPOINT_URL": loopback_url(settings.endpoint_url),
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        "TMPDIR": str(settings.scratch_dir),
        STATE_VARIABLE: str(settings.state_dir),
    }


def emulator_environment(settings: LocalSettings) -> dict[str, str]:
    """Variables that ministack reads when it is imported."""
    most = settings.unkindness.concurrency
    return {
        **({} if most is None else {"LAMBDA_ACCOUNT_CONCURRENCY": str(most)}),
        "GATEWAY_PORT": str(settings.port),
        "MINISTACK_REGION": settings.region,
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "PERSIST_STATE": "1",
        "STATE_DIR": str(settings.emulator_dir),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(settings.objects_dir),
        "LOG_LEVEL": "WARNING",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LAMBDA_EXECUTOR": "local",
        "LAMBDA_WARM_TTL_SECONDS": "60",
        # Every signature and every permission is checked, as on AWS.
        "AUTH": "true" if settings.check_rights else "false",
        # Some services look for a Docker daemon; the local cloud must not need or use one.
        "DOCKER_HOST": f"unix://{settings.state_dir}/no-docker.sock",
    }
