"""What several metrics compute: spectra, pairs of classes, frames, hulls."""
