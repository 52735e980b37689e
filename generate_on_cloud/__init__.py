"""Generate on Cloud: what its API, container, client and panels share; each folder is a noun."""
