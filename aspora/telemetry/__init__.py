"""What agents tell of their work: names of attributes and metrics, records, pipelines, tables."""
