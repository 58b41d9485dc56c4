"""The command line: `cli` has the table of modes and of flags, and each mode has a file here.

Modes whose work is in another room (train, inspect, download, prepare) are a function of `cli`.
"""
