"""The models of a run: how they start, learn, write and are evaluated, and their tokenizer.

torch and transformers are imported where they are used, so that a recipe can be read without them.
"""
