"""Assets: model files, from an upload or import to an inspected file, and away again."""
