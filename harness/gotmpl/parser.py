"""Builds the tree of a template from its tokens; refuses with Go's error texts.

Private to gotmpl. The grammar is that of Go's text/template; functions must be known by name.
"""

from __future__ import annotations

from collections.abc import Collection

from harness.gotmpl.errors import TemplateError
from harness.gotmpl.lexer import Kind, Token, tokens
from harness.gotmpl.nodes import (
    ActionNode,
    BoolNode,
    BreakNode,
    ChainNode,
    CommandNode,
    ContinueNode,
    DotNode,
    FieldNode,
    IdentifierNode,
    IfNode,
    ListNode,
    NilNode,
    Node,
    NumberNode,
    PipeNode,
    RangeNode,
    StringNode,
    TemplateNode,
    TextNode,
    Tree,
    VariableNode,
    WithNode,
)
from harness.gotmpl.number import parse_number
from harness.gotmpl.strconv import quote, unquote
from harness.kit.errors import did_you_mean

__all__ = ["parse"]

_DEEPEST = 150  # nested parentheses; Go stops at 10000, this stack stops earlier
_OPERANDS = frozenset(
    {
        Kind.BOOL, Kind.CHAR_CONSTANT, Kind.COMPLEX, Kind.DOT, Kind.FIELD, Kind.IDENTIFIER, Kind.NUMBER,
        Kind.NIL, Kind.RAW_STRING, Kind.STRING, Kind.VARIABLE, Kind.LEFT_PAREN,
    }
)  # fmt: skip
_LITERALS = (BoolNode, StringNode, NumberNode, NilNode, DotNode)


class _End(Node):
    """{{end}}, seen by the list that it closes."""

    __slots__ = ()

    def __str__(self) -> str:
        return "{{end}}"


class _Else(Node):
    """{{else}}, seen by the list that it closes."""

    __slots__ = ()

    def __str__(self) -> str:
        return "{{else}}"


def parse(text: str, name: str, functions: Collection[str]) -> Tree:
    """Parse a template.

    Args:
        text: the template.
        name: its name, used in errors.
        functions: the names that may be called.

    Raises:
        TemplateError: with Go's text, "template: NAME:LINE: ...".
    """
    parser = _Parser(text, name, functions)
    root = parser.top()
    return Tree(name=name, text=text, root=parser.defined.get(name, root), defined=parser.defined)


class _Parser:
    def __init__(self, text: str, name: str, functions: Collection[str]) -> None:
        self.text = text
        self.name = name
        self.defined: dict[str, ListNode] = {}
        self._functions = functions
        self._tokens = tokens(text)
        self._pending: list[Token] = []
        self._last = Token(Kind.EOF, 0, "EOF", 1)
        self._variables = ["$"]
        self._action_line = 0
        self._ranges = 0
        self._parens = 0
        self._break_words = {
            kind for kind in (Kind.BREAK, Kind.CONTINUE) if kind.name.lower() in functions
        }  # functions of these names win over the keywords

    # Tokens

    def _next(self) -> Token:
        if self._pending:
            return self._pending.pop()
        token = next(self._tokens, None)
        if token is None:
            return self._last
        if token.kind in self._break_words:
            token = Token(Kind.IDENTIFIER, token.start, token.text, token.line)
        self._last = token
        return token

    def _back(self, *read: Token) -> None:
        self._pending.extend(reversed(read))

    def _peek(self) -> Token:
        token = self._next()
        self._back(token)
        return token

    def _next_word(self) -> Token:
        token = self._next()
        while token.kind is Kind.SPACE:
            token = self._next()
        return token

    def _peek_word(self) -> Token:
        token = self._next_word()
        self._back(token)
        return token

    # Errors

    def _error(self, message: str, *, at: Token | None = None, hint: str = "") -> TemplateError:
        line = self._last.line
        start = (at or self._last).start
        line_start = self.text.rfind("\n", 0, start) + 1
        column = len(self.text[line_start:start].encode("utf-8", "surrogateescape")) + 1
        return TemplateError(
            f"template: {self.name}:{line}: {message}",
            file=self.name,
            line=line,
            column=column if at is None or at.line == line else 0,
            wanted=f"a template that parses{f'; {hint}' if hint else ''}",
        )

    def _unexpected(self, token: Token, context: str) -> TemplateError:
        if token.kind is not Kind.ERROR:
            return self._error(f"unexpected {token} in {context}", at=token)
        extra = ""
        if self._action_line not in (0, token.line):
            extra = f" in action started at {self.name}:{self._action_line}"
            if token.text.endswith(" action"):
                extra = extra.removeprefix(" in action")
        return self._error(f"{token}{extra}", at=token)

    def _expect(self, context: str, *kinds: Kind) -> Token:
        token = self._next_word()
        if token.kind not in kinds:
            raise self._unexpected(token, context)
        return token

    # Lists

    def top(self) -> ListNode:
        root = ListNode(self._peek().start)
        while (token := self._peek()).kind is not Kind.EOF:
            if token.kind is Kind.LEFT_DELIM:
                delim = self._next()
                word = self._next_word()
                if word.kind is Kind.DEFINE:
                    self._define()
                    continue
                self._back(delim, word)
            node = self._text_or_action()
            if isinstance(node, (_End, _Else)):
                raise self._error(f"unexpected {node}")
            root.nodes.append(node)
        self._add(self.name, root)
        return root

    def _add(self, name: str, root: ListNode) -> None:
        known = self.defined.get(name)
        if known is None or _is_empty(known):
            self.defined[name] = root
        elif not _is_empty(root):
            raise self._error(f"template: multiple definition of template {quote(name)}")

    def _define(self) -> None:
        token = self._expect("define clause", Kind.STRING, Kind.RAW_STRING)
        name = self._unquoted(token)
        self._expect("define clause", Kind.RIGHT_DELIM)
        self._definition(name, "define clause")

    def _definition(self, name: str, context: str) -> None:
        outer = self._variables, self._action_line, self._ranges, self._parens
        self._variables, self._action_line, self._ranges, self._parens = ["$"], 0, 0, 0
        root, end = self._list()
        if not isinstance(end, _End):
            raise self._error(f"unexpected {end} in {context}")
        self._add(name, root)
        self._variables, self._action_line, self._ranges, self._parens = outer

    def _list(self) -> tuple[ListNode, Node]:
        items = ListNode(self._peek_word().start)
        while self._peek_word().kind is not Kind.EOF:
            node = self._text_or_action()
            if isinstance(node, (_End, _Else)):
                return items, node
            items.nodes.append(node)
        raise self._error("unexpected EOF")

    def _text_or_action(self) -> Node:
        token = self._next_word()
        if token.kind is Kind.TEXT:
            return TextNode(token.start, token.text)
        if token.kind is Kind.LEFT_DELIM:
            self._action_line = token.line
            node = self._action()
            self._action_line = 0
            return node
        raise self._unexpected(token, "input")

    # Actions

    def _action(self) -> Node:  # noqa: PLR0911 - one return a kind
        token = self._next_word()
        match token.kind:
            case Kind.BLOCK:
                return self._block()
            case Kind.BREAK | Kind.CONTINUE:
                return self._jump(token)
            case Kind.ELSE:
                return self._else()
            case Kind.END:
                return _End(self._expect("end", Kind.RIGHT_DELIM).start)
            case Kind.IF:
                return self._if()
            case Kind.RANGE:
                return RangeNode(*self._control("range"))
            case Kind.TEMPLATE:
                return self._template()
            case Kind.WITH:
                return self._with()
        self._back(token)
        return ActionNode(token.start, self._pipeline("command", Kind.RIGHT_DELIM))

    def _jump(self, token: Token) -> Node:
        shown = f"{{{{{token.text}}}}}"
        following = self._next_word()
        if following.kind is not Kind.RIGHT_DELIM:
            raise self._unexpected(following, shown)
        if not self._ranges:
            raise self._error(f"{shown} outside {{{{range}}}}", at=token)
        return BreakNode(token.start) if token.kind is Kind.BREAK else ContinueNode(token.start)

    def _else(self) -> Node:
        peeked = self._peek_word()
        if peeked.kind in (Kind.IF, Kind.WITH):
            return _Else(peeked.start)
        return _Else(self._expect("else", Kind.RIGHT_DELIM).start)

    def _if(self) -> Node:
        return IfNode(*self._control("if"))

    def _with(self) -> Node:
        return WithNode(*self._control("with"))

    def _control(self, context: str) -> tuple[int, PipeNode, ListNode, ListNode | None]:
        known = len(self._variables)
        pipe = self._pipeline(context, Kind.RIGHT_DELIM)
        self._ranges += context == "range"
        body, end = self._list()
        self._ranges -= context == "range"
        otherwise = self._otherwise(context, end) if isinstance(end, _Else) else None
        del self._variables[known:]
        return pipe.start, pipe, body, otherwise

    def _otherwise(self, context: str, opening: Node) -> ListNode:
        chained = {"if": Kind.IF, "with": Kind.WITH}.get(context)
        if self._peek().kind is chained:
            self._next()
            return ListNode(opening.start, [self._if() if context == "if" else self._with()])
        body, end = self._list()
        if not isinstance(end, _End):
            raise self._error(f"expected end; found {end}")
        return body

    def _block(self) -> Node:
        token = self._next_word()
        name = self._template_name(token, "block clause")
        pipe = self._pipeline("block clause", Kind.RIGHT_DELIM)
        self._definition(name, "block clause")
        return TemplateNode(token.start, name, pipe)

    def _template(self) -> Node:
        token = self._next_word()
        name = self._template_name(token, "template clause")
        following = self._next_word()
        if following.kind is Kind.RIGHT_DELIM:
            return TemplateNode(token.start, name, None)
        self._back(following)
        return TemplateNode(token.start, name, self._pipeline("template clause", Kind.RIGHT_DELIM))

    def _template_name(self, token: Token, context: str) -> str:
        if token.kind not in (Kind.STRING, Kind.RAW_STRING):
            raise self._unexpected(token, context)
        return self._unquoted(token)

    def _unquoted(self, token: Token) -> str:
        try:
            return unquote(token.text)
        except ValueError as error:
            raise self._error(str(error), at=token) from None

    # Pipelines

    def _pipeline(self, context: str, end: Kind) -> PipeNode:
        pipe = PipeNode(self._peek_word().start)
        while self._declaration(pipe, context):
            pass
        while True:
            token = self._next_word()
            if token.kind is end:
                self._check(pipe, context)
                return pipe
            if token.kind not in _OPERANDS:
                raise self._unexpected(token, context)
            self._back(token)
            pipe.commands.append(self._command())

    def _declaration(self, pipe: PipeNode, context: str) -> bool:
        """Read one variable with its sign, if one stands here; tell whether another may follow."""
        variable = self._peek_word()
        if variable.kind is not Kind.VARIABLE:
            return False
        self._next_word()
        adjacent = self._peek()
        sign = self._peek_word()
        if sign.kind in (Kind.ASSIGN, Kind.DECLARE):
            pipe.assigns = sign.kind is Kind.ASSIGN
            self._next_word()
            self._declare(pipe, variable)
            return False
        if sign.kind is Kind.CHAR and sign.text == ",":
            self._next_word()
            self._declare(pipe, variable)
            return self._second_variable(pipe, context)
        if adjacent.kind is Kind.SPACE:
            self._back(variable, adjacent)
        else:
            self._back(variable)
        return False

    def _declare(self, pipe: PipeNode, token: Token) -> None:
        pipe.variables.append(VariableNode(token.start, tuple(token.text.split("."))))
        self._variables.append(token.text)

    def _second_variable(self, pipe: PipeNode, context: str) -> bool:
        if context == "range" and len(pipe.variables) < 2:  # noqa: PLR2004 - a range has at most two
            if self._peek_word().kind in (Kind.VARIABLE, Kind.RIGHT_DELIM, Kind.RIGHT_PAREN):
                return True
            raise self._error("range can only initialize variables")
        raise self._error(f"too many declarations in {context}")

    def _check(self, pipe: PipeNode, context: str) -> None:
        if not pipe.commands:
            raise self._error(f"missing value for {context}")
        for stage, command in enumerate(pipe.commands[1:], start=2):
            if isinstance(command.arguments[0], _LITERALS):
                raise self._error(f"non executable command in pipeline stage {stage}")

    def _command(self) -> CommandNode:
        command = CommandNode(self._peek_word().start)
        while True:
            self._peek_word()
            operand = self._operand()
            if operand is not None:
                command.arguments.append(operand)
            token = self._next()
            if token.kind is Kind.SPACE:
                continue
            if token.kind in (Kind.RIGHT_DELIM, Kind.RIGHT_PAREN):
                self._back(token)
            elif token.kind is not Kind.PIPE:
                raise self._unexpected(token, "operand")
            break
        if not command.arguments:
            raise self._error("empty command")
        return command

    def _operand(self) -> Node | None:
        node = self._term()
        first = self._peek()
        if node is None or first.kind is not Kind.FIELD:
            return node
        names: list[str] = []
        while self._peek().kind is Kind.FIELD:
            names.append(self._next().text[1:])
        if isinstance(node, (FieldNode, VariableNode)):
            return type(node)(first.start, (*node.names, *names))
        if isinstance(node, _LITERALS):
            raise self._error(f"unexpected . after term {quote(str(node))}", at=first)
        return ChainNode(first.start, node, tuple(names))

    def _term(self) -> Node | None:  # noqa: PLR0911 - one return a kind
        token = self._next_word()
        match token.kind:
            case Kind.IDENTIFIER:
                return self._function(token)
            case Kind.DOT:
                return DotNode(token.start)
            case Kind.NIL:
                return NilNode(token.start)
            case Kind.VARIABLE:
                return self._variable(token)
            case Kind.FIELD:
                return FieldNode(token.start, tuple(token.text[1:].split(".")))
            case Kind.BOOL:
                return BoolNode(token.start, token.text == "true")
            case Kind.CHAR_CONSTANT | Kind.COMPLEX | Kind.NUMBER:
                return self._number(token)
            case Kind.LEFT_PAREN:
                return self._parenthesized()
            case Kind.STRING | Kind.RAW_STRING:
                return StringNode(token.start, token.text, self._unquoted(token))
        self._back(token)
        return None

    def _function(self, token: Token) -> Node:
        if token.text not in self._functions:
            raise self._error(
                f"function {quote(token.text)} not defined", at=token, hint=did_you_mean(token.text, self._functions)
            )
        return IdentifierNode(token.start, token.text)

    def _variable(self, token: Token) -> Node:
        if token.text not in self._variables:
            raise self._error(f"undefined variable {quote(token.text)}", at=token)
        return VariableNode(token.start, (token.text,))

    def _number(self, token: Token) -> NumberNode:
        try:
            return parse_number(token)
        except ValueError as error:
            raise self._error(str(error), at=token) from None

    def _parenthesized(self) -> Node:
        if self._parens >= _DEEPEST:
            raise self._error("max expression depth exceeded")
        self._parens += 1
        pipe = self._pipeline("parenthesized pipeline", Kind.RIGHT_PAREN)
        self._parens -= 1
        return pipe


def _is_empty(node: Node) -> bool:
    if isinstance(node, ListNode):
        return all(map(_is_empty, node.nodes))
    return isinstance(node, TextNode) and not node.text.strip()
