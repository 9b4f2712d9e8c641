"""Common Crawl as a source: which crawls there are, what is in them, and how to read them politely.

`crawls` reads names of crawls; `selection` is what is wanted of them; `listings`, `cluster` and `columnar` read the
lists of files and the two indexes; `plan` turns a selection into files and exact ranges, and `cost` into numbers.
`mirror` reads bytes from a web server and `store` from a folder or a bucket; `answers` tells what a server sent in
place of a file. `gate` keeps the budget that all processes of a machine share, and `cache` keeps what never changes.
"""
