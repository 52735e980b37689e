"""The C library keeps freed memory for the next step of a job, and gives it back between jobs."""

import subprocess
import sys
from typing import Any

import pytest

from inference_container.allocator import Allocator, draws_with_cpu

STEPS = """
import resource, sys
from concurrent.futures import ThreadPoolExecutor
from inference_container.allocator import ALLOCATOR
assert not sys.argv[1:] or ALLOCATOR.keep_freed_memory()

def step():
    pieces = [bytearray(20_000_000) for _ in range(5)]
    for piece in pieces:
        piece[::4096] = b"x" * len(piece[::4096])

def steps():
    step()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    step()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()

faults = ThreadPoolExecutor(1).submit(steps).result()
kept = resident()
ALLOCATOR.return_freed_memory()
print(faults, kept - resident())
"""


@pytest.mark.parametrize("keeps", [True, False])
def test_a_worker_threads_next_step_gets_the_memory_that_the_last_one_freed(keeps: bool) -> None:
    program = [sys.executable, "-c", STEPS, *(["keep"] if keeps else [])]

    faults, returned = map(int, subprocess.check_output(program, text=True).split())

    # 100 MB are 24,400 pages of 4 KiB.
    assert (faults < 2_000) is keeps
    assert (returned > 50_000_000) is keeps


def test_a_c_library_without_such_settings_is_left_alone() -> None:
    class Other: ...

    other: Any = Other()
    allocator = Allocator(library=other)

    assert not allocator.keep_freed_memory()
    allocator.return_freed_memory()


def test_memory_is_kept_where_the_cpu_draws() -> None:
    assert draws_with_cpu("cpu")
    assert not draws_with_cpu("cuda")
