"""Why a test failed: what the namespace says, redacted, as a short text and as files.

Imported by the fixtures and the plugin. Modules: redact (no secret leaves), facts (pure: what is wrong), collect (asks
the cluster, bounded), diagnostics (the report), artifacts (where its files lie).
"""
