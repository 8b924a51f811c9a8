"""The documents in docs/ against the code."""
