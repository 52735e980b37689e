"""SageMaker instance types with GPUs: how many GPUs each has, and so how many workers its container runs.

The names are those of SageMaker's `ProductionVariantInstanceType`; a test pins them. Sources of the counts:
g4dn, g5, g6 and p3: AWS Batch user guide, "Run GPU jobs", and public tables; p4de: SageMaker's API reference,
`ResourceConfig`; p4d and p5: RAPIDS' deployment guide, "Amazon Web Services"; g6e: public tables that agree, as we
found no page of AWS. Looked up on 2026-11-23.
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

WITHOUT_DISK: Final = frozenset(f"ml.p3.{size}" for size in ("2xlarge", "8xlarge", "16xlarge"))
"""The types without a local NVMe disk: only their volumes can be given a KMS key. The hardware encrypts the disks of
all others, and SageMaker refuses an endpoint configuration that names a key for them."""

HOUR_USD: Final[Mapping[str, float]] = {
    "ml.g4dn.xlarge": 0.7364,
    "ml.g6.xlarge": 1.127,
    "ml.g5.xlarge": 1.408,
    "ml.g5.2xlarge": 1.515,
}
"""List prices per hour in us-east-1, on the date in `prices.json`; a type that is not listed has no known price."""
