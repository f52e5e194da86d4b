"""Where a cluster comes from: made with kind, borrowed through a kubeconfig, or an API server without nodes.

Imported by the fixtures and the command line. Modules: config (what the user asked for), provider (the common
protocol), kind, existing, records (what is still there), readiness.
"""
