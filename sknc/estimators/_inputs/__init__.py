"""Check and convert input from users: features, labels, batches, heads."""
