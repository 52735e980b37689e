"""What the WebUI loads into its page."""
