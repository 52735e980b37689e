"""SageMaker instance types with GPUs: how many each has, and so how many workers its container runs.

Source: AWS, "Amazon SageMaker AI pricing" and "Amazon EC2 accelerated computing instances", as of 2026-11-23.
"""

from collections.abc import Mapping
from typing import Final

_ONE: Final = ("xlarge", "2xlarge", "4xlarge", "8xlarge", "16xlarge")
GPUS: Final[Mapping[str, int]] = {
    **{f"ml.{family}.{size}": 1 for family in ("g4dn", "g5", "g6", "g6e") for size in _ONE},
    "ml.g4dn.12xlarge": 4,
    **{f"ml.{family}.{size}": 4 for family in ("g5", "g6", "g6e") for size in ("12xlarge", "24xlarge")},
    **{f"ml.{family}.48xlarge": 8 for family in ("g5", "g6", "g6e")},
    "ml.p3.2xlarge": 1,
    "ml.p3.8xlarge": 4,
    "ml.p3.16xlarge": 8,
    "ml.p4d.24xlarge": 8,
    "ml.p4de.24xlarge": 8,
    "ml.p5.48xlarge": 8,
}
