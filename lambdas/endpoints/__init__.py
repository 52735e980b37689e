"""Endpoints: which exist, what each is doing, and which one a job goes to."""
