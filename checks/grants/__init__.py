"""Each IAM grant taken away in turn, and the scenario that misses it."""
