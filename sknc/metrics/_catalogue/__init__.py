"""
Properties of all metrics: the decorator, the table, sources, reasons for NaN.

- `docstrings`: text shared by metrics; `conditions`: reasons for NaN, and notes.
- `missing`: how to get a metric that a report lacks.
- `regression`, `regression_conditions`, `regression_table`: the same for regression.
- `arguments`: checks of the arguments of metrics.
"""
