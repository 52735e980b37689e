"""The client's nouns for asyncio; each module is made from the other client's."""
