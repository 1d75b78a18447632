"""How near two numbers have to be that are equal but for rounding."""

# The same operations in float64, or a few of them in another order.
TIGHT = 1e-12
# Sums of many numbers, and decompositions, in another order.
CLOSE = 1e-10
# The same of numbers that partly cancel, or against a formula in many more steps.
LOOSE = 1e-9
# Numbers that were float32 on their way.
SINGLE = 1e-6
