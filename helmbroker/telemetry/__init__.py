"""What processes tell of their work while they do it: counters, spans, and whose work a line of the log is about.

What is told from the database instead (how many instances there are) is with the rooms that know its tables.
"""
