"""Reads what `export`, `certify`, `collapse` and `share` wrote into folders of this machine, as data.

`found` looks for such folders; `exported`, `certified`, `collapsed` and `shared` read one kind each; `bounded` reads
JSON that anybody may have written.
"""
