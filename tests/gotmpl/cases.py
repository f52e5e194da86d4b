"""Random templates and data for the comparison with Go: well-formed ones, and heaps of tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

from harness.gotmpl import GoFunction
from harness.gotmpl.values import Int64, Slice, TypedMap, Uint8

NAMES = ["a", "b", "c", "k"]
TEXTS = ["", "a", "true", "1", "12.5", "a b", "é\U0001f600", "x\ny", '"q"', "<&>", "%d", "A_b-C", "0x1f", "-3", " pad "]

scalars = st.one_of(
    st.sampled_from(TEXTS),
    st.integers(-(2**40), 2**40),
    st.integers(-3, 3),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0.0, 1.0, 1e6, 1e21, 1e-7, 123456789.0, -2.5]),
    st.booleans(),
    st.none(),
    st.integers(-5, 5).map(Int64),
    st.integers(0, 255).map(Uint8),
)
typed = st.one_of(
    st.lists(st.sampled_from(TEXTS), max_size=3).map(lambda items: Slice("string", items)),
    st.lists(st.integers(-3, 9), max_size=3).map(lambda items: Slice("int", items)),
    st.dictionaries(st.sampled_from(NAMES), st.sampled_from(TEXTS), max_size=3).map(
        lambda table: TypedMap("string", table)
    ),
)
values = st.recursive(
    scalars | typed,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=8,
)
datasets = st.dictionaries(st.sampled_from(NAMES), values, max_size=4)

BUILTINS = ["and", "or", "not", "eq", "ne", "lt", "le", "gt", "ge", "len", "index", "slice", "print", "println", "html",
            "js", "urlquery"]  # fmt: skip
SPRIG = """
trim upper lower title untitle substr repeat trimAll trimSuffix trimPrefix nospace initials swapcase snakecase camelcase
kebabcase wrap wrapWith contains hasPrefix hasSuffix quote squote cat indent nindent replace plural sha1sum adler32sum
toString atoi int64 int float64 toDecimal split splitList splitn toStrings until untilStep add1 add sub div mod mul max
min ceil floor round join sortAlpha default empty coalesce compact deepCopy toJson toPrettyJson ternary typeOf typeIs
kindOf kindIs deepEqual b64enc b64dec b32enc b32dec list dict hasKey pluck pick omit merge mergeOverwrite append
prepend first rest last initial reverse uniq without has slice concat abbrev trunc toYaml fail
""".split()  # noqa: SIM905 - words read better than a column of literals
VERBS = [
    "%v",
    "%d",
    "%s",
    "%q",
    "%5.2f",
    "%x",
    "%t",
    "%T",
    "%+v",
    "%#v",
    "%-4d|",
    "%05d",
    "%e",
    "%g",
    "%c",
    "%U",
    "%o",
    "%%",
    "%[2]v",
    "%*d",
    "%z",
]

literals = st.one_of(
    st.sampled_from(
        [
            '"a"',
            '"%d"',
            "`raw`",
            '""',
            '"1"',
            "0",
            "1",
            "-2",
            "2.5",
            "1e3",
            "0x10",
            "'x'",
            "true",
            "false",
            '"é"',
            '"b c"',
            "nil",
        ]
    ),
    st.lists(st.sampled_from(VERBS), min_size=1, max_size=3).map(lambda verbs: f'"{" ".join(verbs)}"'),
)
paths = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map(lambda names: "." + ".".join(names))
roots = st.one_of(
    st.just("."), st.just("$"), paths, paths.map(lambda path: "$" + path), st.sampled_from(["$x", "$y", "$x.a"])
)


def _call(functions: list[str], operands: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    arguments = st.lists(operands, max_size=3)
    return st.tuples(st.sampled_from(functions), arguments).map(lambda call: " ".join([call[0], *call[1]]))


def pipelines(functions: list[str]) -> st.SearchStrategy[str]:
    """Return pipelines that call some functions."""
    return st.recursive(
        literals | roots,
        lambda inner: st.one_of(
            _call([*functions, "printf"], st.one_of(literals, roots, inner.map(lambda text: f"({text})"))),
            st.tuples(inner, _call([*functions, "printf"], literals | roots)).map(" | ".join),
            st.tuples(inner, st.sampled_from(NAMES)).map(lambda pair: f"({pair[0]}).{pair[1]}"),
        ),
        max_leaves=5,
    )


def _statements(pipes: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    simple = st.one_of(
        pipes.map(lambda pipe: f"{{{{ {pipe} }}}}"),
        pipes.map(lambda pipe: f"{{{{- {pipe} -}}}}"),
        pipes.map(lambda pipe: f"{{{{ $x = {pipe} }}}}"),
        pipes.map(lambda pipe: f"{{{{ $y := {pipe} }}}}"),
        st.sampled_from(["text ", "é\n", " \n\t", "{{/* note */}}", "{{ break }}", "{{ continue }}"]),
        pipes.map(lambda pipe: f'{{{{ template "t" {pipe} }}}}'),
    )
    return st.recursive(
        simple,
        lambda inner: st.one_of(
            st.tuples(inner, inner).map("".join),
            st.tuples(pipes, inner).map(lambda p: f"{{{{ if {p[0]} }}}}{p[1]}{{{{ end }}}}"),
            st.tuples(pipes, inner, inner).map(lambda p: f"{{{{ if {p[0]} }}}}{p[1]}{{{{ else }}}}{p[2]}{{{{ end }}}}"),
            st.tuples(pipes, inner, inner).map(
                lambda p: f"{{{{ range {p[0]} }}}}{p[1]}{{{{ else }}}}{p[2]}{{{{ end }}}}"
            ),
            st.tuples(pipes, inner).map(lambda p: f"{{{{ range $k, $y := {p[0]} }}}}{p[1]}{{{{ $k }}}}{{{{ end }}}}"),
            st.tuples(pipes, inner).map(lambda p: f"{{{{ range $x = {p[0]} }}}}{p[1]}{{{{ end }}}}"),
            st.tuples(pipes, inner).map(lambda p: f"{{{{ with {p[0]} }}}}{p[1]}{{{{ end }}}}"),
            st.tuples(pipes, inner).map(lambda p: f"{{{{ with $y := {p[0]} }}}}{p[1]}{{{{ end }}}}"),
        ),
        max_leaves=5,
    )


def templates(functions: list[str]) -> st.SearchStrategy[str]:
    """Return templates of every kind of action; $x is always declared, $y now and then is not."""
    lead = '{{ define "t" }}<{{ . }}{{ .a }}>{{ end }}{{ $x := .a }}{{ $y := 1 }}'
    return _statements(pipelines(functions)).map(lambda body: lead + body)


words = st.one_of(
    st.sampled_from([*TEXTS, "aGVsbG8=", "MFRGG===", "fooBar", "http_server", "1.2.3", "http://u:p@h:1/a%20b?q#f",
                     "/a/../b", "a,b,c", "^[a-z]+$", "a|b", "2006-01-02", "2020-02-03", "1h5m", "Hello World foo",
                     '{"a": [1]}']),
    st.text(alphabet="aB1 _-.,/é\n\t\"'%$<", max_size=8),
)  # fmt: skip
BY_TYPE: dict[str, st.SearchStrategy[Any]] = {
    "string": words,
    "int": st.integers(-2, 12),
    "int64": st.integers(-9, 99).map(Int64),
    "float64": st.floats(-10, 10),
    "bool": st.booleans(),
    "map[string]interface {}": st.dictionaries(st.sampled_from(NAMES), values, max_size=3),
    "interface {}": st.one_of(values, words, st.lists(scalars, max_size=4), st.lists(words, max_size=4)),
}


@st.composite
def calls(draw: st.DrawFn, functions: Mapping[str, GoFunction], names: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """Return a call of one function with arguments of the right types: the template and its data."""
    name = draw(st.sampled_from(names))
    function = functions[name]
    count = len(function.parameters)
    if function.variadic:
        count += draw(st.integers(-1, 2))
    data = {f"p{index}": draw(BY_TYPE[function.parameter(index).name]) for index in range(count)}
    return f"{{{{ {' '.join([name, *(f'.{key}' for key in data)])} }}}}", data


TOKENS = ["{{", "}}", "{{-", "-}}", " ", "\n", "if", "else", "end", "range", "with", "define", "template", "block",
          "break", "continue", ".a", ".", "$", "$x", ":=", "=", ",", "|", "(", ")", '"s"', "`r", "'c'", "1", "1.5", "-",
          "/*", "*/", "nil", "true", "len", "print", "nope", "text", "é", "@", "\\", '"', ".a.b", "0x", "{{ end }}",
          "{{ if .a }}", "{{ range .a }}", "{{ else }}", '{{ define "t" }}', "{{ $x := 1 }}"]  # fmt: skip
heaps: st.SearchStrategy[str] = st.lists(st.sampled_from(TOKENS), max_size=14).map("".join)
