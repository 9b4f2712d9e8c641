"""Which texts are the same, and since when: MinHash signatures, verified near-duplicates, witnesses."""
