"""Assets: model files, from upload or import through inspection to deletion."""
