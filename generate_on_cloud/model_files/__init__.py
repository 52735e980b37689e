"""What a model file says about itself, read by ranges and within bounds; nothing of it is ever executed."""
