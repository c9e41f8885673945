"""What was spent: model calls from the gateway, compute from OpenCost, joined by skill and day."""
