"""How the commands of `kubectl kudo` talk: lines out, warnings aside, and the checks of words that all share.

Imported by the command line's modules only.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from harness.kudo.errors import KudoError

__all__ = ["output_format", "say", "single", "warn"]


def say(line: str) -> None:
    """Print a line to stdout at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def warn(line: str) -> None:
    """Print a warning to stderr."""
    sys.stderr.write(f"Warning: {line}\n")


def single(words: Sequence[str], what: str) -> str:
    """Return the only word.

    Args:
        words: the words of a command.
        what: what was expected, for the error.

    Raises:
        KudoError: there are none or several.
    """
    if len(words) != 1:
        raise KudoError(f"expecting exactly one argument - {what}", usage=True)
    return words[0]


def output_format(arguments: argparse.Namespace) -> str:
    """Return what `-o` says: yaml, json or nothing.

    Raises:
        KudoError: anything else.
    """
    if arguments.output not in ("", "yaml", "json"):
        raise KudoError("invalid output format, only support 'yaml' or 'json' or empty", usage=True)
    return str(arguments.output)
