"""Jobs by the hundred while the parts of a local cloud die."""
