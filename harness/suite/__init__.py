"""kuttl's format: what its files mean, how they are found and read, and how they run.

Imported by plugin, fixtures and command lines. spec, quirks, problem and words are pure; files and loading read files.
"""
