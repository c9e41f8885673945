"""The change report: what merging a change would really do, computed from rendered objects."""
