"""The inference container, in which a job of many steps takes at least a known time, however fast the machine is."""

import time

from inference_container import server
from inference_container.progress import JobProgress

MANY_STEPS = 150
"""Steps from which a job is slowed down."""
SECONDS = 0.04
"""Each step of such a job takes at least these."""


def main() -> None:
    advance_to = JobProgress.advance_to

    def slow(progress: JobProgress, step: int) -> None:
        if progress._steps >= MANY_STEPS:
            time.sleep(SECONDS)
        advance_to(progress, step)

    JobProgress.advance_to = slow  # type: ignore[method-assign, assignment]
    server.main()


if __name__ == "__main__":
    main()
