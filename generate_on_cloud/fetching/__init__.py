"""URLs that users name, fetched without a way into our own network."""
