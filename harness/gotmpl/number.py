"""Reads the numbers of a template: one text, every kind of number that it can stand for.

Private to gotmpl.
"""

from __future__ import annotations

import contextlib
import re

from harness.gotmpl.lexer import Kind, Token
from harness.gotmpl.nodes import NumberNode
from harness.gotmpl.strconv import parse_float, parse_int, quote, unquote_char

__all__ = ["parse_number"]

_EXACT = range(-(1 << 63), 1 << 63)
_UNSIGNED = range(1 << 64)
_PAIR = re.compile(r"(.+?)(?<![eEpP])([+-].*)i")


def parse_number(token: Token) -> NumberNode:
    """Return the node of a number, character or complex constant.

    Raises:
        ValueError: with Go's text.
    """
    node = NumberNode(token.start, token.text)
    if token.kind is Kind.CHAR_CONSTANT:
        _read_character(node)
    elif token.kind is Kind.COMPLEX or (token.text.endswith("i") and _is_float(token.text[:-1])):
        _read_complex(node)
    else:
        _read_real(node)
    return node


def _is_float(text: str) -> bool:
    with contextlib.suppress(ValueError):
        parse_float(text)
        return True
    return False


def _read_character(node: NumberNode) -> None:
    value, tail = unquote_char(node.text[1:], "'")
    if tail != "'":
        raise ValueError(f"malformed character constant: {node.text}")
    code = value[0] if isinstance(value, bytes) else value
    node.integer, node.unsigned, node.floating = code, code, float(code)


def _read_complex(node: NumberNode) -> None:
    pair = _PAIR.fullmatch(node.text)
    real, imaginary = pair.groups() if pair else ("0", node.text[:-1])
    try:
        node.imaginary = complex(parse_float(real), parse_float(imaginary))
    except ValueError:
        raise ValueError("syntax error scanning complex number") from None
    if node.imaginary.imag == 0:
        node.floating = node.imaginary.real
        _narrow(node, node.floating)


def _read_real(node: NumberNode) -> None:
    with contextlib.suppress(ValueError):
        node.unsigned = parse_int(node.text, signed=False)
    with contextlib.suppress(ValueError):
        node.integer = parse_int(node.text)
        if node.integer == 0:
            node.unsigned = 0
    whole = node.integer if node.integer is not None else node.unsigned
    if whole is not None:
        node.floating = float(whole)
        return
    try:
        value = parse_float(node.text)
    except ValueError:
        raise ValueError(f"illegal number syntax: {quote(node.text)}") from None
    if not any(char in node.text for char in ".eEpP"):
        raise ValueError(f"integer overflow: {quote(node.text)}")
    node.floating = value
    _narrow(node, value)


def _narrow(node: NumberNode, value: float) -> None:
    """Let a float that is a whole number stand for integers too."""
    if value == int(value):
        whole = int(value)
        node.integer = whole if whole in _EXACT else None
        node.unsigned = whole if whole in _UNSIGNED else None
