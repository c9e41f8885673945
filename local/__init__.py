"""The embedded default: Pulumi's engine, a Kubernetes control plane and moto on one machine."""
