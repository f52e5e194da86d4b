"""Domain-free parts: errors, YAML documents, waiting, processes, stages, paths.

The lowest layer: it imports nothing of the harness, and every other layer may import it.
"""
