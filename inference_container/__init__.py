"""The container that runs on the GPU endpoint."""
