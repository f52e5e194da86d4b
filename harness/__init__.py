"""End-to-end tests for Kubernetes operators: pytest fixtures, KUDO packages, kuttl-style suites.

Public names are imported on first use, so that `import harness` costs nothing.
"""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
