"""The values of each chart: one module a chart, or a group of charts that belong together."""
