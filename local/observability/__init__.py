"""Prometheus, the collector's two tiers and Phoenix beside the local platform: opt-in."""
