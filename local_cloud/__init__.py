"""The whole stack on one machine: an embedded AWS on loopback and the real container; no Docker, no account."""
