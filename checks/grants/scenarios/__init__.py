"""Scenarios that use the grants of every role, by what they are about."""
