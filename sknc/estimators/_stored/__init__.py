"""The content of a state file: sums, parameters and head of an estimator."""
