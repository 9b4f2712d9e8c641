"""The cube: how many texts each clean set has, for every date at once, so that a control answers while it is moved.

`controls` says which set is asked for, in the words of an export. `build` counts the texts of a lake once, under every
grade and for every day; `stored` keeps the counts outside the lake. `counts` answers from them, and `exact` asks the
lake itself, by the SQL of an export. `counting` does both for the pages, what takes long in the `background`.
"""
