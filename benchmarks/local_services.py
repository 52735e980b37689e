"""Access to a local cloud's AWS services for other programs."""

from local_cloud.clients import LocalClients
from local_cloud.cloud import LocalCloud


def services_of(cloud: LocalCloud) -> LocalClients:
    """Clients with all permissions."""
    return LocalClients(cloud.endpoint_url, cloud.root, region=cloud.settings.region)


def aws_environment(cloud: LocalCloud) -> dict[str, str]:
    """Environment variables that give other programs all permissions."""
    return {
        **cloud.root().variables,
        "AWS_DEFAULT_REGION": cloud.settings.region,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
