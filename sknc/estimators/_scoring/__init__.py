"""The second pass: samples about fitted centers, decisions, standard errors."""
