"""Which rows of somebody else's data set provably existed before a date."""
