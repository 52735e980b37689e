"""The serverless half: API, job events, sweeper and first key; each function a folder or module, nouns beside them."""
