"""Other programs' APIs in front of ours, each a pure module: requests become jobs, jobs become answers."""
