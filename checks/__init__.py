"""Programs that check the whole system for minutes or hours; `make` has a target for each."""
