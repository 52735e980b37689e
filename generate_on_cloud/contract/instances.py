"""SageMaker instance types with GPUs: how many GPUs each has, and so how many workers its container runs.

The names are those of SageMaker's `ProductionVariantInstanceType`; a test pins them. Sources of the counts:
g4dn, g5 and g6: AWS Batch user guide, "Run GPU jobs", and public tables; p4de: SageMaker's API reference,
`ResourceConfig`; p4d and p5: RAPIDS' deployment guide, "Amazon Web Services"; g6e, g7, g7e, p5e and p5en: public tables
that agree, as we found no page of AWS. Looked up on 2026-11-23 and 2026-11-30.

All of them have local NVMe disks, which the hardware encrypts: SageMaker refuses a KMS key for their volumes.
"""

from collections.abc import Mapping
from typing import Final

_ONE: Final = ("xlarge", "2xlarge", "4xlarge", "8xlarge", "16xlarge")
GPUS: Final[Mapping[str, int]] = {
    **{f"ml.{family}.{size}": 1 for family in ("g4dn", "g5", "g6", "g6e") for size in _ONE},
    "ml.g4dn.12xlarge": 4,
    **{f"ml.{family}.{size}": 4 for family in ("g5", "g6", "g6e") for size in ("12xlarge", "24xlarge")},
    **{f"ml.{family}.48xlarge": 8 for family in ("g5", "g6", "g6e")},
    **{
        f"ml.{family}.{size}": gpus
        for family in ("g7", "g7e")
        for size, gpus in {
            "2xlarge": 1,
            "4xlarge": 1,
            "8xlarge": 1,
            "12xlarge": 2,
            "24xlarge": 4,
            "48xlarge": 8,
        }.items()
    },
    "ml.p4d.24xlarge": 8,
    "ml.p4de.24xlarge": 8,
    "ml.p5.4xlarge": 1,
    **{f"ml.{family}.48xlarge": 8 for family in ("p5", "p5e", "p5en")},
}

_TOO_OLD: Final[Mapping[str, str]] = {"p2": "Kepler", "p3": "Volta"}
"""Families whose GPUs the image's PyTorch (CUDA 13) does not support, with the name of their architecture."""


def too_old(instance_type: str) -> str | None:
    """Why the image cannot draw on this type's GPUs; None if it can."""
    architecture = _TOO_OLD.get(instance_type.removeprefix("ml.").partition(".")[0])
    if architecture is None:
        return None
    return f"the image's PyTorch is built for CUDA 13, which has dropped {architecture} GPUs"


HOUR_USD: Final[Mapping[str, float]] = {
    "ml.g4dn.xlarge": 0.7364,
    "ml.g6.xlarge": 1.127,
    "ml.g5.xlarge": 1.408,
    "ml.g5.2xlarge": 1.515,
}
"""List prices per hour in us-east-1, on the date in `prices.json`; a type that is not listed has no known price."""
