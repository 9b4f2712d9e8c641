"""What the texts of a lake are about: cells of k-means among their vectors, named by typical words.

`run` makes the topics of an encoder and gives each text the nearest one; `query.topics` asks what is in them.
"""
