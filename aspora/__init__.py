"""The pure core of the Aspora platform: domain YAML to typed models to plain Kubernetes objects.

Nothing in this package imports Pulumi, AWS or the shell around it (`components`, `infra`,
`local`); import-linter holds that line. Modules read no clock, no network and no environment
at import.
"""
