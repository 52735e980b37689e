"""The seeds of a job's pictures (semantics §2.7)."""

import random
from dataclasses import dataclass

from generate_on_cloud.contract.params import ImageParams

RANDOM_SEEDS = 4294967294
"""WebUI draws random seeds below this."""


@dataclass(frozen=True)
class Seeds:
    """Seed and subseed of every picture, in order."""

    seeds: tuple[int, ...]
    subseeds: tuple[int, ...]


def choose_seeds(params: ImageParams, *, random_source: random.Random | None = None) -> Seeds:
    """Seeds increase by 1 from the first one; with a variation, only subseeds do. -1 means random."""
    source = random_source or random.Random()
    count = params.n_iter * params.batch_size
    seed = source.randrange(RANDOM_SEEDS) if params.seed == -1 else params.seed
    subseed = source.randrange(RANDOM_SEEDS) if params.subseed == -1 else params.subseed
    return Seeds(
        seeds=tuple(seed if params.subseed_strength else seed + number for number in range(count)),
        subseeds=tuple(subseed + number for number in range(count)),
    )
