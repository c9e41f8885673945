"""Proof of isolation: what can reach what, read from the objects alone.

This package knows nothing of the code that writes the policies (import-linter holds it to that):
it reads objects as the API server and AWS get them, and says what they open. What it does not
understand it takes as open.
"""
