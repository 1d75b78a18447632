"""
What all metrics share: the decorator, the table, sources, reasons for NaN.

- `define`: the decorator; `metric`: what it says of a metric, a row of the table.
- `table`: all metrics in order; `properties`: the groups, in order.
- `sources`: papers; `docstrings`: the sections that the decorator writes.
- `why_undefined`: the words of reasons for NaN that several metrics share, and of notes
  on other values. A reason of one metric is in its module.
- `missing`: which metrics a report leaves out, and how to get them.
- `arguments`: checks of the arguments of metrics.
- `regression`, `regression_why_undefined`, `regression_table`: the same for regression.
"""
