"""The composition root: stack settings and the order of the layers."""
