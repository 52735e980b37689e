"""Which seed each picture of a job has (semantics §2.7)."""

import random
from dataclasses import dataclass

from generate_on_cloud.contract.params import ImageParams

RANDOM_SEEDS = 4294967294
"""WebUI draws random seeds below this."""


@dataclass(frozen=True)
class Seeds:
    """One of each for every picture, in order."""

    seeds: tuple[int, ...]
    subseeds: tuple[int, ...]

    def first(self, count: int) -> "Seeds":
        """Those of the first `count` pictures."""
        return Seeds(self.seeds[:count], self.subseeds[:count])


def choose_seeds(params: ImageParams, *, random_source: random.Random | None = None) -> Seeds:
    """Seeds count up from the first; with a variation it is the subseeds alone that do. -1 draws at random."""
    source = random_source or random.Random()
    count = params.n_iter * params.batch_size
    seed = source.randrange(RANDOM_SEEDS) if params.seed == -1 else params.seed
    subseed = source.randrange(RANDOM_SEEDS) if params.subseed == -1 else params.subseed
    return Seeds(
        seeds=tuple(seed if params.subseed_strength else seed + number for number in range(count)),
        subseeds=tuple(subseed + number for number in range(count)),
    )
