"""How the table `operations` became what it is: what the revisions of its owners have in common.

Each module is one change, frozen: it imports nothing of ours, and is never edited once it has been released.
"""
