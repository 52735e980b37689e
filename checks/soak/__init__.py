"""Runs hundreds of jobs while parts of a local cloud are killed."""
