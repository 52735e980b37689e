"""Access to a local cloud's AWS services for other programs."""

from local_cloud.clients import LocalClients
from local_cloud.cloud import LocalCloud
from local_cloud.settings import ACCOUNT


def services_of(cloud: LocalCloud) -> LocalClients:
    """Clients with all permissions."""
    return LocalClients(cloud.endpoint_url, region=cloud.settings.region)


def aws_environment(cloud: LocalCloud) -> dict[str, str]:
    """Environment variables that give other programs all permissions."""
    return {
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_DEFAULT_REGION": cloud.settings.region,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
