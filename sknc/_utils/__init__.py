"""What every module may use: arrays of any library, threads, cached values, checks."""
