"""Training and generation: one loop for every model, on one device or many."""
