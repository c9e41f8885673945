"""The three gateways and the mesh between them: what goes in, out, to models and to tools.

`mesh` holds what every platform service has in common, `ingress` the gateway in front of the
agents, `egress` the way out, `tools` the MCP servers and `model` the models with their budgets.
"""
