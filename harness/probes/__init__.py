"""Probes ask a running service from outside: SQL, ports.

Each module stands alone and is imported by name, so that a test loads only what it uses; suites and `harness.load` do.
"""
