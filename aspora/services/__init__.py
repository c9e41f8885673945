"""The platform's services: what is installed where, with which values, stores and connections.

Tables alone: the objects made of them are in `aspora/render/`.
"""
