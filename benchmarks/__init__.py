"""Measurements behind docs/benchmarks.md; never part of a test."""
