"""Computations that metrics share: spectra, pairs of classes, frames, hulls."""
