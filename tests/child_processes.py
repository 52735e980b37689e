"""Finds the processes that a local cloud has started, while they come and go."""

import psutil


def children_with(pid: int, words: str) -> list[psutil.Process]:
    """Processes below `pid` whose command line has `words`; one that ends while it is looked at is none."""
    found = []
    for child in psutil.Process(pid).children(recursive=True):
        try:
            if words in " ".join(child.cmdline()):
                found.append(child)
        except psutil.Error:
            continue
    return found
