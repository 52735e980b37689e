"""The name of an image in a private ECR repository, the only kind that SageMaker pulls."""

import re
from typing import Final

ECR_IMAGE: Final = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?/(?P<name>[a-z0-9._/-]+)[:@]"
)
