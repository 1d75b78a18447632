"""Batches into statistics, in one stream or in groups."""
