"""What runs on the GPU endpoint; its `contract` package is the wire every other program of the project speaks."""
