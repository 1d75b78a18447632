"""
What is known of every metric: the decorator, the table, sources, reasons for NaN.

- `docstrings`: words that metrics share; `conditions`: reasons for NaN, and notes.
- `missing`: what to do about a metric that a report lacks.
- `regression`, `regression_conditions`, `regression_table`: the same of regression.
- `arguments`: errors of metrics called with something else.
"""
