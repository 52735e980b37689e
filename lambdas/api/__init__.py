"""The REST API function: one resolver, and one module of routes per resource."""
