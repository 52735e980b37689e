"""WebUI's prompt language: encodes a user's text into the tensors that the UNet attends to."""
