"""The deployed functions, one module with a handler each; the API has its own folder."""
