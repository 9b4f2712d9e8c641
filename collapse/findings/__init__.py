"""What the results of a run say: numbers with their intervals, and sentences that claim no more than these.

`results` reads `results.json` again; `summary`, `suspect` and `verdict` reckon with it, and `wording` has the words.
"""
