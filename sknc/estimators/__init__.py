"""The estimators, and the way of a batch into them."""
