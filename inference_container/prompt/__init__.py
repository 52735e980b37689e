"""WebUI's prompt language: from the text a user typed to the tensors the UNet attends to."""
