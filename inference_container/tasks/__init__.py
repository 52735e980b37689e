"""What a job can do: one runner a task."""
