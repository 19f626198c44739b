"""Networks behind the metrics: their weights, their features, and I3D."""
