"""Every name and path that is derived for a cluster, and what is there under it today: nothing is written.

One module a system. In each stands one list: what a thing is, what it is called, and how to look at it.
"""
