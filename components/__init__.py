"""Pulumi ComponentResources: plain objects of the core, registered as they are."""
