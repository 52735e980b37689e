"""Extra networks: loads LoRA and its relatives, hypernetworks and embeddings, applies them and removes them again."""
