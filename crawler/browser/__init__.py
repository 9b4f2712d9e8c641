"""Shows pages in a browser that has no network of its own: all that it gets comes from the crawl."""
