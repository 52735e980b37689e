"""What all functions need to use AWS: clients, typed rows, batch reads, cursors and error codes."""
