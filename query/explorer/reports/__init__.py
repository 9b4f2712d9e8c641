"""Reads what `export`, `certify` and `collapse` wrote into folders of this machine, as data.

`found` looks for such folders; `exported`, `certified` and `collapsed` read one kind each; `bounded` reads JSON that
anybody may have written.
"""
