"""The whole stack on one machine: an embedded AWS on loopback, the real container beside it, no Docker, no account."""
