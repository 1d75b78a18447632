"""What is known of every metric: the decorator, the table, sources, reasons for NaN."""
