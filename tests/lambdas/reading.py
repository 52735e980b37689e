"""How much one has to read to follow a request: the files of ours that it runs, and those on its deepest stack.

A test holds the rows of `WAYS` to their budgets; `python -m tests.lambdas.reading` prints each way with its files.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import pytest

from lambdas.functions.job_events import handle_event
from tests.lambdas.cloud import Cloud, completed, open_aws, open_cloud, txt2img

ROOT = Path(__file__).parents[2]
OWN = tuple(f"{ROOT / folder}/" for folder in ("lambdas", "generate_on_cloud"))


@dataclass
class Reading:
    """What ran of the product; functions only, not the bodies of modules and classes that are being imported."""

    files: set[str] = field(default_factory=set)
    deepest: tuple[str, ...] = ()
    """Of all stacks the one with the most different files of ours; each file once, the outermost first."""

    @property
    def depth(self) -> int:
        return len(self.deepest)

    def __str__(self) -> str:
        return f"{len(self.files)} files, {self.depth} on the deepest stack\n  " + "\n  ".join(
            [f"deepest: {' > '.join(self.deepest)}", *sorted(self.files)]
        )


@contextmanager
def recorded() -> Iterator[Reading]:
    """What runs of the product in this thread meanwhile."""
    reading = Reading()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event != "call" or not frame.f_code.co_filename.startswith(OWN) or _is_a_body(frame):
            return
        reading.files.add(_name(frame))
        stack: dict[str, None] = {}
        above: FrameType | None = frame
        while above is not None:
            if above.f_code.co_filename.startswith(OWN):
                stack[_name(above)] = None
            above = above.f_back
        if len(stack) > reading.depth:
            reading.deepest = tuple(reversed(stack))

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield reading
    finally:
        sys.setprofile(before)


def _name(frame: FrameType) -> str:
    return Path(frame.f_code.co_filename).relative_to(ROOT).as_posix()


def _is_a_body(frame: FrameType) -> bool:
    return frame.f_code.co_name == "<module>" or "__qualname__" in frame.f_locals


@dataclass(frozen=True)
class Way:
    """One way through the functions, with the most files it may run and have on its deepest stack."""

    name: str
    files: int
    depth: int
    go: Callable[[Cloud], Callable[[], object]]
    """Prepares what the way is about and gives what is to be measured."""

    def read(self, cloud: Cloud) -> Reading:
        """The second such way: what is remembered or put together once is not counted."""
        for _ in range(2):
            act = self.go(cloud)
            with recorded() as reading:
                act()
        return reading


def _post(cloud: Cloud) -> Callable[[], object]:
    return lambda: cloud.ask("POST", "/v1/jobs", txt2img()).ok(201)


def _get(cloud: Cloud, job_id: str) -> Callable[[], object]:
    return lambda: cloud.ask("GET", f"/v1/jobs/{job_id}").ok()


def _succeeded(cloud: Cloud) -> Callable[[], object]:
    job_id = cloud.job().job_id
    cloud.put_result(job_id)
    cloud.write(job_id, status="succeeded", output_key=f"endpoint-output/{job_id}.out")
    return _get(cloud, job_id)


def _running(cloud: Cloud) -> Callable[[], object]:
    job_id = cloud.job().job_id
    cloud.run(job_id)
    return _get(cloud, job_id)


def _event(cloud: Cloud) -> Callable[[], object]:
    job_id = cloud.job().job_id
    cloud.run(job_id)
    record = {"Sns": {"MessageId": "m", "Message": completed(job_id, cloud.put_result(job_id))}}
    return lambda: handle_event(cloud.events, {"Records": [record]}, stack="stack")


WAYS = (
    Way("POST /v1/jobs", 30, 5, _post),
    Way("GET /v1/jobs/{id}, queued", 12, 5, lambda cloud: _get(cloud, cloud.job().job_id)),
    Way("GET /v1/jobs/{id}, running", 9, 5, _running),
    Way("GET /v1/jobs/{id}, succeeded", 11, 5, _succeeded),
    Way("a notification of SageMaker", 12, 5, _event),
)


def main() -> None:
    """Print every way."""
    with pytest.MonkeyPatch.context() as patched, open_aws(patched) as aws, open_cloud(aws) as cloud:
        cloud.checkpoint()
        for way in WAYS:
            print(f"{way.name}: {way.read(cloud)}\n", file=sys.stderr)


if __name__ == "__main__":
    main()
