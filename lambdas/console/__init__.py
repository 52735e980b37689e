"""The web console: a function without rights that serves the built files of the repository's folder `console`."""
