"""What can be known before a deployment: each row is fine, worth a look, or stops it with the command that mends it."""
