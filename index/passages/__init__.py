"""Which passages of a text were on the web before, and since when: an index of runs of words.

`kernel` computes the fingerprints of a text and compares the words of two, `stage` fingerprints the texts of a lake,
`segments` keeps and merges the fingerprints, `find` answers questions.
"""
