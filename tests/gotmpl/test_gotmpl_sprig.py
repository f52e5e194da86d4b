"""Sprig: which functions there are, what they take from the world, and what is refused."""

from __future__ import annotations

import random
from datetime import timedelta, timezone
from typing import Any

import pytest

from harness.gotmpl import (
    KUDO_REMOVED,
    NOT_SUPPORTED,
    FunctionSet,
    Template,
    TemplateError,
    World,
    sprig_v2_22,
    sprig_v3,
)

KUDO_FUNCTIONS = """
hello date date_in_zone date_modify now htmlDate htmlDateInZone dateInZone dateModify ago toDate unixEpoch abbrev
abbrevboth trunc trim upper lower title untitle substr repeat trimall trimAll trimSuffix trimPrefix nospace initials
randAlphaNum randAlpha randAscii randNumeric swapcase shuffle snakecase camelcase kebabcase wrap wrapWith contains
hasPrefix hasSuffix quote squote cat indent nindent replace plural sha1sum sha256sum adler32sum toString atoi int64 int
float64 toDecimal split splitList splitn toStrings until untilStep add1 add sub div mod mul biggest max min ceil floor
round join sortAlpha default empty coalesce compact deepCopy toJson toPrettyJson ternary typeOf typeIs typeIsLike kindOf
kindIs deepEqual getHostByName b64enc b64dec b32enc b32dec tuple list dict set unset hasKey pluck keys pick omit merge
mergeOverwrite values append push prepend first rest last initial reverse uniq without has slice concat genPrivateKey
derivePassword buildCustomCert genCA genSelfSignedCert genSignedCert encryptAES decryptAES uuidv4 semver semverCompare
fail regexMatch regexFindAll regexFind regexReplaceAll regexReplaceAllLiteral regexSplit urlParse urlJoin toYaml
""".split()  # noqa: SIM905 - words read better than a column of literals
LATER = """
fromJson get dig chunk seq mustFirst mustRegexMatch osBase duration durationRound toRawJson addf bcrypt htpasswd all any
sha512sum randInt randBytes regexQuoteMeta mustToDate
""".split()  # noqa: SIM905 - words read better than a column of literals


def world(**changes: Any) -> World:
    given: dict[str, Any] = {"clock": lambda: 1_500_000_000.25, "random": random.Random(3)} | changes  # noqa: S311
    return World(**given)


def render(text: str, data: Any = None, *, functions: FunctionSet) -> str:
    return Template.parse(text, "f", functions=functions).render(data)


def test_kudo_set_is_exactly_its_list() -> None:
    """The functions of a KUDO template are sprig 2.22 without the seven that KUDO removes, and toYaml."""
    assert set(sprig_v2_22(exclude=KUDO_REMOVED)) == set(KUDO_FUNCTIONS)
    assert set(KUDO_FUNCTIONS) | KUDO_REMOVED == set(sprig_v2_22())


def test_later_functions_are_only_in_sprig_3() -> None:
    """What came after 2.22 is unknown there, and known in sprig 3."""
    assert not set(LATER) & set(sprig_v2_22())
    assert set(LATER) <= set(sprig_v3())
    assert set(sprig_v2_22()) <= set(sprig_v3())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{{ now | date "2006-01-02 15:04:05.00 MST" }}', "2017-07-14 05:40:00.25 +0300"),
        ("{{ ago (int64 1499999900) }}", "1m40s"),
        ("{{ now.Year }}-{{ now.Month }}", "2017-July"),
        ('{{ env "HOME" }} {{ expandenv "a $HOME ${NOPE}b" }}', "/h a /h b"),
        ('{{ getHostByName "db" }}', "10.0.0.1"),
        ("{{ randAlphaNum 5 | len }} {{ uuidv4 | len }} {{ randInt 3 4 }}", "5 36 3"),
        ('{{ shuffle "abc" | splitList "" | sortAlpha | join "" }}', "abc"),
    ],
)
def test_world_is_injected(text: str, expected: str) -> None:
    """Time, zone, chance, environment and names come from the World that was handed in."""
    given = world(
        environment={"HOME": "/h"},
        zone=timezone(timedelta(hours=3), ""),
        resolve=lambda name: {"db": "10.0.0.1"}[name],
    )
    assert render(text, functions=sprig_v3(world=given)) == expected


def test_same_chance_gives_the_same_text() -> None:
    """Renders are repeatable when the World's chance is."""
    text = "{{ randAlphaNum 8 }}{{ uuidv4 }}{{ randBytes 4 }}"
    assert render(text, functions=sprig_v3(world=world())) == render(text, functions=sprig_v3(world=world()))


@pytest.mark.parametrize("call", ["now", "randAlpha 3", "uuidv4", 'env "A"', 'shuffle "ab"', 'getHostByName "a"'])
def test_without_a_world_its_functions_refuse(call: str) -> None:
    """Without a World the functions that need one are errors that say so, when called."""
    with pytest.raises(TemplateError, match=f"{call.split(maxsplit=1)[0]} needs a World"):
        render(f"{{{{ {call} }}}}", functions=sprig_v2_22())


@pytest.mark.parametrize("name", sorted(NOT_SUPPORTED))
def test_refused_functions_are_named(name: str) -> None:
    """Functions that need a cryptography library are known, and refuse by name; one's own may take their place."""
    with pytest.raises(TemplateError, match=f"error calling {name}: {name} is not supported here"):
        render(f"{{{{ {name} 1 2 }}}}", functions=sprig_v3())
    assert render(f"{{{{ {name} 1 2 }}}}", functions=sprig_v3() | {name: lambda *_: "own"}) == "own"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ range $i, $v := untilStep 0 (int .n) 1 }}{{ if $i }},{{ end }}db-{{ $v }}{{ end }}", "db-0,db-1,db-2"),
        ("{{ untilStep 1 (int .n) 1 }}", "[1 2]"),
        ("{{ toYaml .m | trim | nindent 2 }}", '\n  a:\n  - 1\n  b: "true"'),
        ('{{ .e | default "d" | quote }} {{ ternary 1 2 (eq .n "3") }} {{ has "x" .l }}', '"d" 1 true'),
        ('{{ b64enc "a" }} {{ list 1 nil "b" | join "-" }} {{ dict "a" 1 }} {{ .m | toJson }}',
         'YQ== 1-b map[a:1] {"a":[1],"b":"true"}'),
        ('{{ regexReplaceAll "(?P<first>a)b*" "abbc" "<${first}>" }}', "<a>c"),
        ('{{ semverCompare ">=10.11, <12" "11.4.2" }} {{ (split "." "11.4")._0 }}', "true 11"),
    ],
)  # fmt: skip
def test_functions_of_a_database_operator(text: str, expected: str) -> None:
    """What the templates of an operator for a database use."""
    data = {"n": "3", "e": "", "l": ["x"], "m": {"b": "true", "a": [1]}}
    assert render(text, data, functions=sprig_v2_22(exclude=KUDO_REMOVED)) == expected


def test_sets_combine_and_narrow() -> None:
    """Sets are joined with |, the right one wins, and narrowed with without(); neither changes its operands."""
    base = FunctionSet({"a": lambda: "1", "b": lambda: "2"})
    joined = base | {"b": lambda: "3"}
    assert render("{{ a }}{{ b }}", functions=joined) == "13"
    assert set(joined.without(["a", "zzz"])) == {"b"}
    assert render("{{ b }}", functions=base) == "2"
    with pytest.raises(TemplateError, match='function "a" not defined'):
        render("{{ a }}", functions=joined.without(["a"]))


def test_endless_ranges_are_refused() -> None:
    """A range that would fill the memory is an error."""
    with pytest.raises(TemplateError, match="too long"):
        render("{{ until 2000000000 }}", functions=sprig_v2_22())


@pytest.mark.parametrize(
    ("expression", "text", "found"),
    [("(?i)É+", "xéÉ", "éÉ"), (r"\pL+", "1éa2", "éa"), (r"[[:^digit:]]+", "1ab2", "ab"), (r"a\z", "a\n", "")],
)
def test_regular_expressions_are_gos(expression: str, text: str, found: str) -> None:
    """RE2's classes, flags and anchors are translated."""
    data = {"e": expression, "t": text}
    assert render("{{ regexFind .e .t }}", data, functions=sprig_v3()) == found
