"""Quality as columns, not as a verdict: what the field's filters measure, once for each text.

docs/quality.md says what each column means, and which rules the presets make of them.
"""
