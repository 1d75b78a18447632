"""From what users pass to checked arrays: features, labels, batches, heads."""
