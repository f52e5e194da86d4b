"""Measured figures against their targets; scripts, not timed tests."""
