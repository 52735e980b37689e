"""Access: users, roles and keys, who is calling, and what each has used."""
