"""What a run found, and what that means.

`results` holds the content of `results.json`; `summary` computes a part of it; `suspect` and `verdict` interpret it;
`wording` formats numbers and names.
"""
