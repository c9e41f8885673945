"""Proofs on real programs that this repository does not install: each says how to get them."""
