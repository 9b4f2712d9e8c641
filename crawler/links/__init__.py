"""What pages lead to, and what of it belongs to the crawl."""
