"""The serverless half: the API and the functions, with the nouns they share in folders of their name."""
