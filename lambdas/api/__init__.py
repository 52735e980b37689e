"""The REST API function: one resolver, one router file for each resource."""
