"""The AWS side as Pulumi components: from an empty account to a cluster ready for domains."""
