"""Prompts: files beside the domain file, and what Langfuse should have of them.

`files` reads them, `plan` says it in Langfuse's words, `reconcile` finds what differs (decision
58).
"""
