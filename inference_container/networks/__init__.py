"""Extra networks: LoRA and its relatives, hypernetworks and embeddings, from file to a changed model and back."""
