"""What the panel does, without gradio and without the host's modules: tested in the ordinary suite."""
