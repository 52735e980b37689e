"""What WebUI itself answered, beside what the container answers."""
