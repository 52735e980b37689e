"""The measurements in docs/benchmarks.md; no test runs them."""
