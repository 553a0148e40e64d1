"""Looking for secrets where none may be: what to look for, how, and where.

`needles` knows the shapes in which a secret may show, `search` finds them in bytes, `places` and `watch` read
the places of an installation. A place must first show that it finds what was planted in it.
"""
