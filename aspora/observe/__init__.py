"""What tells people: recording rules, alerts, their routes, and dashboards."""
