"""A random, narrow network that fills holes, as in the file that the ControlNet extension downloads."""

from inference_container.models.hole_networks import HoleFiller
from tests.filled_networks import State, filled

WIDTH, BLOCKS = 8, 3


def hole_filler() -> State:
    state = filled(HoleFiller(WIDTH, BLOCKS), seed=61, gain=2.0)
    last = next(name for name in reversed(state) if name.endswith("bias"))
    state[last.replace("bias", "weight")] *= 0.3
    return state
