"""Pictures that come with `goc`."""
