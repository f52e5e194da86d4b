"""Comparisons: (expected, actual) -> differences. Pure: no files, no clock, no cluster.

Suites, fixtures and load checks may import it; it imports only kit. Expression engines load when one is compiled.
"""
