"""Accumulate batches into statistics, in one stream or in groups."""
