"""The dates that records claim, and the grade of each claim. One rule, in one place."""
