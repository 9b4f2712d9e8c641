"""What is lost from one generation to the next, as pure functions of token blocks, texts and losses.

Where there is nothing to measure (no blocks, blocks shorter than an n-gram, no text) a measure is NaN, never an error.
"""
