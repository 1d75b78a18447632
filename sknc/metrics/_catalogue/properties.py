"""The properties by which metrics are grouped, in display order."""

# What each group of metrics measures.
PROPERTIES = {
    "NC0": "rows of the head sum to zero",
    "NC1": "features shrink to their class means",
    "NC2": "class means, and rows of the head, form a simplex",
    "GNC2": "class means spread over the sphere, for more classes than dimensions",
    "NC3": "the head lines up with the class means",
    "NC4": "the head decides as the nearest class center does",
    "NC5": "samples of no class are orthogonal to all classes",
    "imbalance": "what rare classes do",
    "MSE": "the squared loss in parts",
    "spectrum": "how many directions are in use",
}
