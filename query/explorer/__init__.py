"""`archive explore`: pages on which people look at a lake."""
