"""Stand-ins for Pulumi's provider plugins, for the local platform only.

They speak the SDK's own gRPC protocol: Kubernetes is server-side apply against the local API
server, AWS is one boto3 call an operation against moto. Staging and production use the official
plugins.
"""
