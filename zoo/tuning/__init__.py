"""Tuning: which of the installed runtimes answers as `tf` does and is the fastest, for one model on this machine."""
