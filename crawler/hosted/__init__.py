"""Runs a spider and middlewares of the user's own inside of a crawl, without a way around its manners and records."""
