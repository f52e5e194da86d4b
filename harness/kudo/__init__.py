"""KUDO operators on today's Kubernetes: packages, rendering, the plan engine and the `kubectl kudo` command.

The modules are imported by name; this package imports none of them, so that reading a package never loads a client.
"""
