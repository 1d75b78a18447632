"""What a state file holds: sums, parameters and head of an estimator."""
