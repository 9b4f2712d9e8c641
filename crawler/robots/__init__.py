"""What the owners of sites allow and reserve: robots.txt and tdmrep.json."""
