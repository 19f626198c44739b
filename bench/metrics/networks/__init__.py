"""Networks behind metrics: their weights, their features, the I3D."""
