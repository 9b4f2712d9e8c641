"""`archive explore`: the lake as pages on loopback, for who would rather look than read.

`page` says what a page is: a function from bounded parameters to plain data. `pages` is the table of them. `context`
opens the lake for one request, `show` turns an answer into HTML or JSON, `app` joins them, `guard` keeps others out,
and `serve` runs it. `draw` makes pictures. `cube` counts clean sets while somebody moves the controls.
"""
