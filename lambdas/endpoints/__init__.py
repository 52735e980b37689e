"""Endpoints: which exist, what state each is in, and which one a job goes to."""
