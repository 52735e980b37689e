"""AWS as this side speaks it: clients, typed items, batch reads, cursors and error codes."""
