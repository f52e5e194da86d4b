"""Hand-made templates that Go and the Python renderer must treat alike, errors included."""

from __future__ import annotations

from typing import Any

from harness.gotmpl.values import Function, Int64, Slice, TypedMap, Uint8

DATA: dict[str, Any] = {
    "s": "text",
    "e": "",
    "i": 42,
    "n": -7,
    "z": 0,
    "f": 3.25,
    "big": 1234567.0,
    "t": True,
    "b": False,
    "nil": None,
    "l": [1, "two", None, 3.5, {"k": "v"}],
    "words": Slice("string", ["pear", "apple", "fig"]),
    "ints": Slice("int", [3, 1, 2]),
    "empty": [],
    "none": {},
    "m": {"b": 2, "a": 1, "c": {"d": "deep", "nil": None}},
    "labels": TypedMap("string", {"app": "db", "tier": "data"}),
    "i64": Int64(9),
    "u8": Uint8(200),
    "fn": Function(str.upper, go_type="func(string) string"),
    "uni": "é日本語x",
    "multi": "one\ntwo\n\nthree",
    "quoted": "a \"b\" 'c' \\ <d> & \t",
    "Params": {"NODE_COUNT": "3", "EMPTY": "", "LIST": ["a", "b"]},
}

ACTIONS = """
plain text
{{ .m }}|{{ $.m }}
{{ .s }} {{ .i }} {{ .f }} {{ .big }} {{ .t }} {{ .nil }} {{ .nope }} {{ .l }} {{ .m }}
{{ .words }} {{ .ints }} {{ .labels }} {{ .empty }} {{ .none }} {{ .i64 }} {{ .u8 }}
{{ .m.c.d }} {{ .m.c.x }} {{ .m.c.x.y }}
{{ .nope.x }}
{{ .nil.x }}
{{ .s.x }}
{{ .m.a.x }}
{{ (.m).a }} {{ (.m.c).d }} {{ (index .m "c").d }} {{ (.nope).x }} {{ (.nil).x }} {{ (.s).x }}
{{ $x := .m }}{{ $x.a }} {{ $x.c.d }}
{{ $x := .s }}{{ $x.a }}
{{ $x := 1 }}{{ $x = 2 }}{{ $x }}
{{ $y = 2 }}
{{ $x := 1 }}{{ if true }}{{ $x := 2 }}{{ $x }}{{ end }}{{ $x }}
{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ $x }}{{ end }}{{ $x }}
{{ $ := 5 }}{{ $ }}
{{ $x := .nil }}{{ $x.y }}
{{ with $x := .m }}{{ $x.a }}{{ .b }}{{ end }}
{{ with .e }}a{{ else }}b{{ end }}
{{ with .e }}a{{ else with .s }}{{ . }}{{ else }}c{{ end }}
{{ with .s }}{{ .x }}{{ end }}
{{ if .e }}a{{ else if .z }}b{{ else if .t }}c{{ else }}d{{ end }}
{{ if .nil }}a{{ end }}{{ if .nope }}b{{ end }}{{ if .l }}c{{ end }}{{ if .empty }}d{{ end }}{{ if .m }}e{{ end }}{{ if .none }}f{{ end }}
{{ if .f }}a{{ end }}{{ if 0.0 }}b{{ end }}{{ if -0.0 }}c{{ end }}{{ if "x" }}d{{ end }}{{ if .fn }}e{{ end }}
{{ range .l }}<{{ . }}>{{ end }}
{{ range .l }}{{ .k }}{{ end }}
{{ range $i, $v := .l }}{{ $i }}={{ $v }};{{ end }}
{{ range $v := .words }}{{ $v }};{{ end }}
{{ range .m }}{{ . }};{{ end }}
{{ range $k, $v := .m }}{{ $k }}={{ $v }};{{ end }}
{{ range $k, $v := .labels }}{{ $k }}={{ $v }};{{ end }}
{{ range .empty }}x{{ else }}none{{ end }} {{ range .nil }}x{{ else }}nil{{ end }} {{ range .nope }}x{{ else }}nope{{ end }}
{{ range 3 }}{{ . }}{{ end }}{{ range 0 }}x{{ else }}zero{{ end }}{{ range -2 }}x{{ else }}neg{{ end }}
{{ range $i := 3 }}{{ $i }}{{ end }}
{{ range $i, $j := 3 }}{{ $i }}{{ end }}
{{ range .i64 }}{{ . }}{{ end }}{{ range .u8 }}{{ if gt . 3 }}{{ break }}{{ end }}{{ . }}{{ end }}
{{ range .s }}x{{ end }}
{{ range .t }}x{{ end }}
{{ range .f }}x{{ end }}
{{ range .words }}{{ if eq . "apple" }}{{ continue }}{{ end }}{{ . }}{{ end }}
{{ range .words }}{{ range $.ints }}{{ if eq . 1 }}{{ break }}{{ end }}{{ . }}{{ end }}{{ . }}{{ end }}
{{ $s := "" }}{{ range .words }}{{ $s = print $s . }}{{ end }}{{ $s }}
{{ $a := 0 }}{{ $b := 0 }}{{ range $a, $b = .words }}{{ end }}{{ $a }}{{ $b }}
{{ range $x.y := .l }}{{ end }}
{{ range $a, $b, $c := .l }}{{ end }}
{{ range .words }}{{ .x }}{{ end }}
{{ range .l }}{{ .x }}{{ end }}
{{ range $v := .l }}{{ $v.x }}{{ end }}
{{ range .m }}{{ .x }}{{ end }}
{{ define "a" }}<{{ . }}>{{ end }}{{ template "a" .s }}{{ template "a" }}{{ template "a" 1 }}
{{ define "a" }}{{ .x }}{{ end }}{{ template "a" .s }}
{{ define "a" }}{{ $.i }}{{ $x }}{{ end }}
{{ define "a" }}{{ if . }}{{ template "b" . }}{{ end }}{{ end }}{{ define "b" }}[{{ . }}]{{ end }}{{ template "a" .i }}
{{ template "nope" }}
{{ template "a%d" }}
{{ block "x" .m }}{{ .a }}{{ end }}{{ template "x" .m.c }}
{{ define "a" }}1{{ end }}{{ define "a" }}2{{ end }}{{ template "a" }}
{{ define "f" }}self{{ end }}
{{ define "f" }}self{{ end }}x
{{ define "a" }}{{ end }}{{ define "a" }}2{{ end }}{{ template "a" }}
  {{- .s -}}  x {{- /* note */ -}} y
{{/* note */}}a{{- /* b */}} c
a {{- 3 }} b {{ 3 -}} c {{- -3 }}
{{ "a" | printf "%s-%s" "b" }}
{{ .s | len | printf "%d" }}
{{ 1 | .s }}
{{ .s 1 }}
{{ .m.a 1 }}
{{ $ 1 }}
{{ $x := 1 }}{{ $x 1 }}
{{ (.s) 1 }}
{{ 1 2 }}
{{ "s" 2 }}
{{ true 1 }}
{{ . 1 }}
{{ nil }}
{{ nil 1 }}
{{ .fn }}
{{ .fn "x" }}
{{ call .fn "abc" }} {{ (call .fn "abc") | len }}
{{ call .fn }}
{{ call .s "x" }}
{{ call .nil }}
{{ call .nope 1 }}
{{ call }}
{{ true }} {{ false }} {{ 1 }} {{ 1.5 }} {{ 1e3 }} {{ 1e-7 }} {{ 'a' }} {{ '\\n' }} {{ '\\'' }} {{ '日' }} {{ 0x1F }} {{ 0o17 }} {{ 017 }} {{ 0b101 }} {{ 1_000 }} {{ +5 }} {{ -5 }} {{ .5 }} {{ 5. }} {{ 0x1p4 }} {{ 1e400 }}
{{ 1i }} {{ 1+2i }} {{ 0i }} {{ 1.5-2i }}
{{ 9223372036854775807 }}
{{ 9223372036854775808 }}
{{ 99999999999999999999 }}
{{ 1e30 }} {{ 123456789.0 }} {{ 100000.0 }} {{ 1000000.0 }} {{ 0.0001 }} {{ 0.00001 }}
{{ "a\\tb\\u00e9\\x41\\101\\"" }} {{ `raw \\n "x"` }}
{{ "\\q" }}
{{ "a
b" }}
{{ `a
b` }}
{{ '' }}
{{ 'ab' }}
{{ 'a }}
{{ "a }}
{{ `a }}
{{ }}
{{
{{ .s
{{ .s }
{{ .s }} }}
{{ .s | }}
{{ | .s }}
{{ .s || .e }}
{{ .s | "x" }}
{{ .s | 1 }}
{{ .s | . }}
{{ .s | nil }}
{{ .s | true }}
{{ .s | $.m }}
{{ foo }}
{{ foo .s }}
{{ .s | foo }}
{{ (.s }}
{{ .s) }}
{{ () }}
{{ ( ) }}
{{ (.s | len) }} {{ ((.i)) }}
{{ if }}a{{ end }}
{{ if .s }}a
{{ if .s }}a{{ else }}b
{{ if .s }}a{{ else }}b{{ else }}c{{ end }}
{{ else }}
{{ end }}
{{ if .s }}a{{ end }}{{ end }}
{{ range }}a{{ end }}
{{ range .l }}a{{ else if .s }}b{{ end }}
{{ with .l }}a{{ else if .s }}b{{ end }}
{{ break }}
{{ continue }}
{{ range .l }}{{ break 1 }}{{ end }}
{{ if .t }}{{ break }}{{ end }}
{{ range .l }}{{ template "a" }}{{ end }}{{ define "a" }}{{ break }}{{ end }}
{{ template }}
{{ template .s }}
{{ template "a" 1 2 }}
{{ define }}{{ end }}
{{ define "a" 1 }}{{ end }}
{{ define .s }}{{ end }}
{{ define "a" }}
{{ if .s }}{{ define "a" }}{{ end }}{{ end }}
{{ block "a" }}{{ end }}
{{ block }}{{ end }}
{{ end x }}
{{ if .s }}a{{ else x }}{{ end }}
{{ .s.}}
{{ .s. }}
{{ .. }}
{{ ..s }}
{{ .s..t }}
{{ 1.x }}
{{ 1 .x }}
{{ "s".x }}
{{ true.x }}
{{ nil.x }}
{{ $.s.x }}
{{ $x }}
{{ $x.y }}
{{ $1 }}
{{ $x := }}
{{ $x, $y := .l }}
{{ $x := 1 := 2 }}
{{ $x : 1 }}
{{ .x := 1 }}
{{ x := 1 }}
{{ 1a }}
{{ 0x }}
{{ 1.2.3 }}
{{ 1e }}
{{ . & . }}
{{ .s @ }}
{{ .s ; }}
{{ .s, .i }}
{{ .é }} {{ .s-x }}
{{ .s+1 }}
{{ "a"b }}
{{ "a""b" }}
{{ print "a""b" }}
{{ print(1) }}
{{ print (1)(2) }}
{{/* unclosed
{{/* a */ x }}
{{ /* a */ }}
{{- /*a*/-}}
{{-/*a*/}}
{{ .s -}}
{{.s}}{{-.i}}
{{- .s}} {{.s -}} x
{{if .s}}{{- "a" -}}{{end}}
{{"{{"}} {{`}}`}} {{ "}}" }}
{{ /* é */ "é" | len }} {{ .nope.x.y }}
é日 {{ .s.x }}
line one
  é {{ .m.a.x }}
{{ .s
| len }}
{{ print 1
2 3 }}
{{ if and
 .s
 (.m.a.x) }}{{ end }}
{{ print .s

@ }}
{{ if .s }}

{{ foo }}{{ end }}
{{ break }}{{ range .l }}{{ end }}
{{ nil | print }}
{{ print nil }}
{{ not nil }} {{ eq nil nil }} {{ eq .nil nil }} {{ ne nil 1 }}
{{ printf nil }}
{{ true | printf "%v" }}
{{ .uni }} {{ len .uni }} {{ index .uni 0 }} {{ slice .uni 0 2 }} {{ slice .uni 0 1 }} {{ printf "%q" (slice .uni 1 3) }}
{{ (slice .uni 0 1) }}{{ (slice .uni 1 2) }}
{{ with .m }}{{ with .c }}{{ .d }}{{ $.s }}{{ end }}{{ end }}
{{ range $k, $v := .m }}{{ if eq $k "b" }}{{ break }}{{ end }}{{ $k }}{{ else }}x{{ end }}
""".strip("\n").split("\n")

BUILTINS = """
{{ and }}
{{ or }}
{{ not }}
{{ not 1 2 }}
{{ and 1 }} {{ and 1 0 2 }} {{ and .s .e .nope.x.y }} {{ or .e .s .nil.x }} {{ or 0 "" }} {{ or }}
{{ and .t .nil.x }}
{{ and .t .nope }} {{ or .nope .nil }} {{ and nil 1 }}
{{ .t | and .s }} {{ .s | or .e }} {{ .s | or .t }} {{ 1 | and 0 }}
{{ not .t }} {{ not .e }} {{ not .nope }}
{{ eq 1 1 }} {{ eq 1 2 }} {{ eq 1 2 1 }} {{ eq "a" "a" }} {{ eq .i 42 }} {{ eq .f 3.25 }} {{ eq .i64 9 }} {{ eq .u8 200 }} {{ eq 200 .u8 }}
{{ eq 1 "1" }}
{{ eq 1 1.0 }}
{{ eq 1 1 "x" }} {{ eq 1 2 "x" }}
{{ eq .t true }} {{ eq .t "true" }}
{{ eq .nil .nope }} {{ eq .nil 1 }} {{ eq 1 .nil }} {{ eq .nope "" }}
{{ eq .l .l }}
{{ eq .m .m }}
{{ eq .l 1 }}
{{ eq .l .m }}
{{ eq .l .nil }} {{ eq .nil .l }}
{{ eq .l .words }}
{{ eq 1 }}
{{ eq }}
{{ eq 1i 1i }} {{ eq "é" "é" }}
{{ ne 1 2 }} {{ ne "a" "a" }} {{ ne 1 "a" }}
{{ ne 1 }}
{{ ne 1 2 3 }}
{{ lt 1 2 }} {{ lt 2.5 1.5 }} {{ lt "a" "b" }} {{ lt .u8 300 }} {{ lt -1 .u8 }} {{ lt .u8 -1 }} {{ lt .i64 10 }}
{{ lt 1 1.5 }}
{{ lt 1 "a" }}
{{ lt true false }}
{{ lt .l .l }}
{{ lt .nil 1 }}
{{ lt 1 .nope }}
{{ le 1 1 }} {{ le 2 1 }} {{ gt 2 1 }} {{ gt 1 1 }} {{ ge 1 1 }} {{ ge 0 1 }} {{ 3 | lt 2 }}
{{ gt 1 "a" }}
{{ ge .m 1 }}
{{ index .l 0 }} {{ index .l 4 "k" }} {{ index .m "c" "d" }} {{ index .words 1 }} {{ index .labels "app" }} {{ index .labels "x" }}| {{ index .m "x" }} {{ index .ints 0 }} {{ index .s 1 }}
{{ index .l 5 }}
{{ index .l 6 }}
{{ index .l -1 }}
{{ index .l "a" }}
{{ index .l .nil }}
{{ index .l 1.0 }}
{{ index .l 2 0 }}
{{ index .m 1 }}
{{ index .m .nil }}
{{ index .m nil }}
{{ index .s 4 }}
{{ index .s 5 }}
{{ index .i 0 }}
{{ index .nil 0 }}
{{ index .nope 0 }}
{{ index }}
{{ index .l }} {{ index .m "x" "y" }}
{{ index .l .i64 }}
{{ index .l .u8 }}
{{ slice .s }} {{ slice .s 1 }} {{ slice .s 1 3 }} {{ slice .l 1 2 }} {{ slice .words 1 }} {{ slice .l 0 1 2 }}
{{ slice .s 1 2 3 }}
{{ slice .s 3 1 }}
{{ slice .s 9 }}
{{ slice .l 9 }}
{{ slice .l 3 2 }}
{{ slice .m 1 }}
{{ slice .nil 1 }}
{{ slice .i 1 }}
{{ slice .l 0 1 2 3 }}
{{ slice .l "a" }}
{{ len .s }} {{ len .l }} {{ len .m }} {{ len .uni }} {{ len "" }} {{ len .empty }}
{{ len .i }}
{{ len .nil }}
{{ len .nope }}
{{ len nil }}
{{ len }}
{{ len .s .s }}
{{ print 1 2 }} {{ print "a" "b" }} {{ print "a" 1 2 "b" }} {{ print .nil .nope }} {{ print }} {{ print .l .m }} {{ print true 1.5 }}
{{ println 1 "a" }}{{ println }}{{ println .nil }}
{{ html "<a href=\\"x\\">'&\\x00" }} {{ html 1 2 }} {{ html .l }} {{ .nil | html }} {{ html .nil 1 .nope }} {{ html }}
{{ js "it's \\"x\\" <b> & = \\n \\x01 é 日 \\u2028 \\\\" }} {{ js 1 "a" }}
{{ urlquery "a b&c=d/é+~*'()" }} {{ urlquery 1 2 }}
{{ printf "%d" "x" }} {{ printf }}
{{ printf 1 }}
{{ printf .i }}
{{ printf .nil }}
{{ printf .nope }}
{{ printf "%s" }} {{ printf "%s %s" "a" }} {{ printf "x" 1 "a" nil }} {{ printf "%" }} {{ printf "%z" 1 }} {{ printf "%!" 1 }} {{ printf "%%" }} {{ printf "%5%|" }}
{{ printf "%v %v %v %v %v %v" 1 "a" true 1.5 .l .m }}
{{ printf "%+v %#v" .m .m }} {{ printf "%#v %#v %#v %#v" "a" 1 1.0 .words }} {{ printf "%#v" .l }} {{ printf "%#v" .u8 }} {{ printf "%#v %#v" 1e6 1e21 }}
{{ printf "%T %T %T %T %T %T %T %T" 1 "a" 1.5 true .l .m .nil .words }} {{ printf "%T %T %T" .i64 .labels 1i }} {{ printf "%10T|%-10T|" 1 1 }}
{{ printf "%t %t" true false }} {{ printf "%t" 1 }} {{ printf "%5t|%-7t|" true false }}
{{ printf "%d %5d %-5d| %05d %+d % d %x %X %#x %o %#o %O %b %#b %c %q %U %#U" 42 42 42 42 42 42 42 42 42 42 42 42 42 42 65 65 65 128512 }}
{{ printf "%d %x %b %o %05d %+05d %-05d|" -42 -42 -42 -42 -42 42 -42 }} {{ printf "%.3d %8.3d|%-8.3d|%08.3d|%.0d|%.0d|" 7 7 7 7 0 1 }} {{ printf "%+q %q" 0x1F600 0x110000 }} {{ printf "%c" -1 }}
{{ printf "%d %d" .l .m }} {{ printf "%s" .l }} {{ printf "%q" .words }} {{ printf "%x" .words }} {{ printf "%5d" .ints }} {{ printf "%s" .m }} {{ printf "%v" .empty }}
{{ printf "%f %.2f %8.3f|%-8.1f|%08.2f %+f % f %F" 3.14159 3.14159 3.14159 3.14159 3.14159 3.14159 3.14159 2.5 }}
{{ printf "%e %E %.2e %g %G %.3g %10g|%-10g|%010g %+g" 1234.5678 1234.5678 1234.5678 1234.5678 1e-10 1234.5678 1.5 1.5 1.5 1.5 }}
{{ printf "%g %g %g %g %g %g %g" 100000.0 1000000.0 1e20 1e21 1e-4 1e-5 0.1 }} {{ printf "%v %v" 1e20 1e21 }} {{ printf "%6.2f%%" 12.3456 }}
{{ printf "%x %X %b" 1.5 -2.25 1.0 }} {{ printf "%.3x %.0x" 1.999 1.5 }} {{ printf "%#g %#.3g %#f %#.0f %#e %#v" 1.0 2.0 3.0 4.0 5.0 6.0 }}
{{ printf "%d" 1.5 }} {{ printf "%f" 1 }} {{ printf "%s" 1 }} {{ printf "%s" 1.5 }} {{ printf "%s" true }} {{ printf "%s" .nil }} {{ printf "%d" .nil }} {{ printf "%v" .nil }} {{ printf "%q" 1.5 }}
{{ printf "%s %10s|%-10s|%.2s|%q|%x|%X|% x|%#x|%# x" "héllo" "héllo" "héllo" "héllo" "héllo" "hé" "hé" "hé" "hé" "hé" }}
{{ printf "%010s|%-010s|%5.1s|%+q|%#q|%#q" "abc" "abc" "abc" "é" "a`b" "ab" }} {{ printf "%q" "a\\tb\\x00\\u2028\\U0001F600\\\\\\"'" }}
{{ printf "%[2]d %[1]d" 1 2 }} {{ printf "%[3]d" 1 2 }} {{ printf "%[2]*[1]d|" 1 5 }} {{ printf "%[x]d" 1 }} {{ printf "%[1]d %d" 1 2 }} {{ printf "%[" 1 }} {{ printf "%[]d" 1 }} {{ printf "%[0]d" 1 }} {{ printf "%[1]s %[1]q" "a" }} {{ printf "%[1]" 1 }}
{{ printf "%*d|%-*d|%.*f|%*s" 5 1 5 1 2 3.14159 6 "a" }} {{ printf "%*d" "x" 1 }} {{ printf "%.*d" "x" 1 }} {{ printf "%*d" -5 1 }} {{ printf "%.*d" -5 1 }} {{ printf "%*d" 9999999 1 }}
{{ printf "%99999999d" 1 }} {{ printf "%.d|%.s|%5.f" 1 "abc" 2.5 }} {{ printf "%.[1]d" 3 }} {{ printf "%!d" 1 }} {{ printf "%-" 1 }} {{ printf "%." 1 }} {{ printf "%5" 1 }}
{{ printf "%v %s" (print "a") 'b' }} {{ printf "%d %d %d" .i64 .u8 'a' }} {{ printf "%s" .i64 }} {{ printf "%v" .fn | len | lt 0 }}
{{ printf "%w" 1 }} {{ printf "%v %+v %.1f" 1i 1+2i 1.25+2.5i }} {{ printf "%d" 1i }} {{ printf "%t" "x" }} {{ printf "%z" .l }} {{ printf "%z" .m }} {{ printf "%é" 1 }}
{{ printf "%v" 0.1 }} {{ printf "%v" 100 }} {{ printf "%6v|%-6v|%06v" 1.5 "a" 12 }} {{ printf "%6v|%-6v|" .ints .words }} {{ printf "%06v" .l }} {{ printf "%+v" 1 }} {{ printf "%+d" .ints }} {{ printf "% x" "abc" }} {{ printf "%t" .l }}
{{ printf "%5v|%-5v|%5d" nil nil nil }} {{ printf "%5t" nil }} {{ printf "%05s" nil }}
{{ printf "%p" 1 }} {{ printf "%p" "a" }} {{ printf "%U" "a" }} {{ printf "%c" "a" }} {{ printf "%e" 1 }} {{ printf "%x" 255 }} {{ printf "%x" "hello" }} {{ printf "%.2x" "hello" }} {{ printf "%8x|%-8x|%08x" "ab" "ab" "ab" }}
{{ 0.1 }} {{ 1.0 }} {{ 1e6 }} {{ 1e5 }} {{ 123456.0 }} {{ 1234567.0 }} {{ 1e-4 }} {{ 1e-5 }} {{ 1e100 }} {{ 2.5e-8 }} {{ 12345678.9 }}
{{ 3 | print 1 2 | len }} {{ "x" | print }} {{ .i | printf "%03d-%s" 7 }}
""".strip("\n").split("\n")

KUDO = """
{{ range $i, $v := untilStep 0 (int .Params.NODE_COUNT) 1 }}{{ if $i }},{{ end }}{{ $.s }}-{{ $v }}{{ end }}
{{ untilStep 1 (int .Params.NODE_COUNT) 1 }} {{ until 3 }} {{ until -3 }} {{ untilStep 5 0 -2 }} {{ untilStep 0 5 0 }}
{{ until "3" }}
{{ until .Params.NODE_COUNT }}
{{ until .i64 }}
{{ until (add 1 2) }}
{{ until 3.0 }} {{ until 3.5 }}
{{ int "3" }} {{ int "x" }} {{ int 3.9 }} {{ int true }} {{ int .nil }} {{ int64 "7" }} {{ float64 "1.5" }} {{ atoi "12" }} {{ atoi "x" }} {{ toString 1.5 }} {{ int "0x10" }} {{ int "010" }} {{ int "3.0" }} {{ int "3.5" }} {{ int " 3" }} {{ int "1_000" }} {{ int "99999999999999999999" }}
{{ atoi 3 }}
{{ add 1 2 3 }} {{ add "1" 2.7 true }} {{ sub 5 3 }} {{ mul 2 3 4 }} {{ div 7 2 }} {{ div -7 2 }} {{ mod 7 3 }} {{ mod -7 3 }} {{ add1 5 }} {{ max 1 5 3 }} {{ min 4 2 }} {{ biggest 1 2 }} {{ add }} {{ max 1 }}
{{ div 1 0 }}
{{ mod 1 0 }}
{{ add 9223372036854775807 1 }} {{ mul 9223372036854775807 2 }} {{ sub -9223372036854775807 2 }}
{{ ceil 1.2 }} {{ floor 1.8 }} {{ round 1.2345 2 }} {{ round 1.5 0 }} {{ round -1.5 0 }} {{ round 123.555555 3 }} {{ round "2.5" 0 }} {{ round 3.7 0 0.9 }} {{ ceil "x" }} {{ floor -1.5 }}
{{ toDecimal "777" }} {{ toDecimal 12 }} {{ toDecimal "9" }}
{{ eq (add 1 2) 3 }} {{ eq .Params.NODE_COUNT "3" }} {{ lt (int .Params.NODE_COUNT) 5 }} {{ eq (len .Params.LIST) 2 }}
{{ quote "a" 1 nil .nil "b\\"c" }} {{ squote "a" 1 "it's" }} {{ quote }} {{ quote .l }} {{ .s | quote }} {{ quote .uni "\\n" }}
{{ default "d" .e }} {{ default "d" .s }} {{ default "d" .nope }} {{ default "d" }} {{ .e | default "d" }} {{ default "d" 0 }} {{ default "d" false }} {{ default "d" .none }} {{ default .l .empty }}
{{ default }}
{{ empty .e }} {{ empty .s }} {{ empty .nil }} {{ empty .nope }} {{ empty 0 }} {{ empty .none }} {{ coalesce .nil .e 0 "x" }} {{ coalesce .nil }} {{ coalesce }}
{{ ternary "a" "b" true }} {{ .t | ternary "a" "b" }} {{ ternary 1 2 (eq .s "x") }}
{{ ternary 1 2 "x" }}
{{ ternary 1 2 .s }}
{{ ternary 1 2 nil }}
{{ ternary 1 2 .nope }}
{{ trim "  a b\\t\\n" }}| {{ trimAll "x" "xxaxx" }} {{ trimall "xy" "xyaxy" }} {{ trimSuffix "b" "ab" }} {{ trimPrefix "a" "ab" }} {{ trimAll "" " a " }}| {{ trimSuffix "" "a" }} {{ nospace " a b\\tc " }}
{{ upper "abcé" }} {{ lower "ABCÉ" }} {{ title "hello wORLD foo-bar o'neil a_b 1a" }} {{ untitle "Hello World" }} {{ swapcase "Hello World aB" }} {{ initials "John Doe foo" }} {{ upper "ß" }} {{ title "élan vital" }}
{{ repeat 3 "ab" }} {{ "x" | repeat 2 }} {{ repeat 0 "a" }}
{{ repeat -1 "a" }}
{{ substr 0 3 "hello" }} {{ substr 1 -1 "hello" }} {{ substr -1 3 "hello" }} {{ substr 2 99 "hello" }} {{ substr 0 1 "é" | printf "%q" }}
{{ substr 4 2 "hello" }}
{{ substr 9 99 "hello" }}
{{ substr -1 9 "hello" }}
{{ trunc 3 "hello" }} {{ trunc 9 "hello" }} {{ trunc 0 "hello" }}| {{ trunc 1 "é" | printf "%q" }}
{{ trunc -2 "hello" }}
{{ trunc -9 "hello" }}
{{ abbrev 5 "hello world" }} {{ abbrev 3 "hello world" }} {{ abbrev 20 "hello" }} {{ abbrevboth 5 10 "1234 5678 9123" }} {{ abbrevboth 1 5 "1234 5678 9123" }} {{ abbrevboth 10 12 "1234 5678 9123 4567 890" }} {{ abbrevboth 6 9 "abcdefghijklmnopqrstuvwxyz" }} {{ abbrevboth 99 9 "abcdefghijklmnop" }}
{{ contains "ell" "hello" }} {{ hasPrefix "he" "hello" }} {{ hasSuffix "lo" "hello" }} {{ contains "" "" }}
{{ cat "a" 1 nil "b" .l }} {{ cat }}| {{ cat nil }}| {{ cat "%d" 1 }} {{ cat " a " "b " }}|
{{ indent 4 .multi }}
{{ nindent 2 .multi }}
{{ indent -1 "a" }}
{{ replace " " "-" "a b c" }} {{ replace "" "x" "ab" }} {{ plural "one" "many" 1 }} {{ plural "one" "many" 2 }} {{ "I Am" | replace " " "-" }}
{{ split "$" "a$b$c" }} {{ (split "$" "a$b$c")._1 }} {{ splitList "," "a,b,,c" }} {{ splitn "$" 2 "a$b$c" }} {{ splitList "" "aé" }} {{ splitList "," "" | len }} {{ splitn "$" 0 "a$b" }} {{ splitn "$" -1 "a$b" }} {{ splitn "" 2 "abc" }}
{{ (split "," "a")._5 }}|
{{ join "," .l }} {{ join "-" .words }} {{ join "," "x" }} {{ join "," .nil }}| {{ .ints | join "+" }} {{ join "," 3 }} {{ sortAlpha .words }} {{ sortAlpha .ints }} {{ sortAlpha "x" }} {{ toStrings .l }} {{ toStrings .nil }} {{ toStrings 5 }} {{ sortAlpha .l }}
{{ list 1 "a" nil }} {{ list }} {{ tuple 1 2 }} {{ first .l }} {{ last .words }} {{ rest .l }} {{ initial .ints }} {{ first .empty }} {{ rest .empty }} {{ append .ints 9 }} {{ push .empty 1 }} {{ prepend .words "x" }} {{ reverse .l }} {{ uniq (list 1 2 1 "1" nil nil) }} {{ without (list 1 2 3) 2 3 }} {{ has 1 .l }} {{ has "two" .l }} {{ has 9 .l }} {{ has "apple" .words }} {{ has nil .l }} {{ has 1 nil }} {{ compact (list 0 1 "" "a" nil) }} {{ slice .l 1 3 }} {{ slice .words 1 }} {{ slice .empty }} {{ concat .l .words }} {{ concat }} {{ slice .l }}
{{ first "x" }}
{{ first nil }}
{{ rest 1 }}
{{ append "x" 1 }}
{{ prepend .m 1 }}
{{ last .m }}
{{ initial "x" }}
{{ reverse 1 }}
{{ uniq "a" }}
{{ without "a" 1 }}
{{ has 1 "a" }}
{{ compact .s }}
{{ slice .s 1 2 }}
{{ slice .l 3 1 }}
{{ slice .l 0 99 }}
{{ concat .l "x" }}
{{ has 1 (list 1.0) }} {{ has 1 (list (int64 1)) }} {{ has .m (list .m) }} {{ uniq .words }} {{ without .words "fig" }}
{{ dict "a" 1 "b" }} {{ dict }} {{ dict 1 2 }} {{ set (dict "a" 1) "b" 2 }} {{ unset (dict "a" 1) "a" }} {{ hasKey .m "a" }} {{ hasKey .m "x" }} {{ pluck "a" .m (dict "a" 9) (dict) }} {{ pick .m "a" "x" }} {{ omit .m "a" "c" }} {{ keys .m | sortAlpha }} {{ values (dict "a" 1) }} {{ keys .m .none | len }}
{{ hasKey .s "a" }}
{{ hasKey .nope "a" }} {{ keys .nope }}
{{ hasKey .nil "a" }}
{{ hasKey .labels "app" }}
{{ set .m 1 2 }}
{{ pick .l "a" }}
{{ merge (dict "a" 1 "c" (dict "x" 1)) .m (dict "z" 0) }} {{ mergeOverwrite (dict "a" 9 "c" (dict "x" 1)) .m }} {{ merge (dict "a" 0 "b" "") (dict "a" 5 "b" "x") }} {{ mergeOverwrite (dict "a" 1) (dict "a" 0 "b" nil) }} {{ mergeOverwrite (dict "a" (list 1)) (dict "a" (list 2 3)) }} {{ merge (dict "a" (list 1)) (dict "a" (list 2 3)) }} {{ merge (dict) (dict "a" (dict "b" 1)) }}
{{ deepCopy .m }} {{ deepEqual .m .m }} {{ deepEqual 1 1.0 }} {{ deepEqual (list 1) (list 1) }} {{ deepEqual nil .nil }}
{{ typeOf 1 }} {{ typeOf "a" }} {{ typeOf .l }} {{ typeOf .m }} {{ typeOf nil }} {{ typeOf .i64 }} {{ typeOf 1.5 }} {{ typeIs "int" 1 }} {{ typeIsLike "string" "a" }} {{ kindOf .l }} {{ kindOf .m }} {{ kindOf nil }} {{ kindOf 1 }} {{ kindIs "map" .m }} {{ kindOf .fn }} {{ typeOf (until 2) }} {{ typeOf (split "," "a") }} {{ typeOf (add 1) }} {{ typeOf (list) }} {{ typeOf (keys .m) }} {{ typeOf (ceil 1) }} {{ typeOf (int 1) }}
{{ b64enc "hello é" }} {{ b64dec "aGVsbG8=" }} {{ b64dec "aGVsbG8" }} {{ b64dec "!!!!" }} {{ b64dec "aGVs\\nbG8=" }} {{ b64dec "" }}| {{ b64dec "a" }} {{ b64dec "aGVsbG8=x" }} {{ b64dec "aG=s" }} {{ b32enc "hello" }} {{ b32dec "NBSWY3DP" }} {{ b32dec "NBSWY3" }} {{ b32dec "x" }} {{ b32dec "NBSWY3D=" }} {{ b64dec "aGVsbG8==" }} {{ b64dec "====" }} {{ b64dec "aGVsbG8=\\n" }} {{ b64dec "aGV\\nsbG8" }}
{{ sha1sum "a" }} {{ sha256sum "é" }} {{ adler32sum "hello" }}
{{ b64enc .i }}
{{ b64enc .nope }}
{{ b64enc nil }}
{{ toJson .m }} {{ toJson .l }} {{ toJson "a<b>&\\u2028é\\"\\x01\\x7f" }} {{ toJson 1.0 }} {{ toJson 1e21 }} {{ toJson 1e-7 }} {{ toJson 1e6 }} {{ toJson nil }} {{ toJson (list) }} {{ toJson .empty }} {{ toJson .none }} {{ toJson .fn }}| {{ toJson 1.5e-9 }} {{ toJson .words }} {{ toJson 123456789012.5 }} {{ toJson -0.0 }} {{ toJson 1e22 }}
{{ toPrettyJson .m }} {{ toPrettyJson .l }} {{ toPrettyJson .empty }} {{ toPrettyJson .none }}
{{ wrap 10 "the quick brown fox jumps overthelazydoganimal now" }}
{{ wrapWith 5 "\\t" "Hello World longerword x" }} {{ wrap 0 "ab cd" }} {{ wrap 5 "" }} {{ wrapWith 3 "" "abcdefg" }}
{{ snakecase "FirstName HTTPServer NoHTTPS GO_PATH http2xx HTTP20xOK Duration2m3s Bld4Floor3rd" }} {{ snakecase "FirstName" }} {{ snakecase "HTTPServer" }} {{ snakecase "NoHTTPS" }} {{ snakecase "http2xx" }} {{ snakecase "HTTP20xOK" }} {{ snakecase "Bld4Floor3rd" }} {{ snakecase "a-b c" }} {{ snakecase "" }} {{ snakecase "_a" }} {{ snakecase "A" }} {{ snakecase "a1" }} {{ snakecase "a.bC" }} {{ snakecase "1A2b" }} {{ snakecase "ÉtéX" }}
{{ kebabcase "FirstName" }} {{ kebabcase "HTTPServer20x" }} {{ camelcase "some_words" }} {{ camelcase "http_server" }} {{ camelcase "_complex__case_" }} {{ camelcase "some words" }} {{ camelcase "GOLANG_IS_GREAT" }} {{ camelcase "a" }} {{ camelcase "" }} {{ camelcase "_" }} {{ camelcase "a-" }} {{ camelcase "aB_Cd" }} {{ camelcase "__a" }} {{ camelcase "-a--b" }}
{{ hello }} {{ fail "boom" }}
{{ fail .s }}
{{ "x" | fail }}
{{ toYaml .Params.LIST | trim | indent 8 }}
{{ toYaml .m }}{{ toYaml .l }}{{ toYaml "a" }}{{ toYaml 1.5 }}{{ toYaml .none }}{{ toYaml .empty }}{{ toYaml nil }}{{ toYaml .words }}{{ toYaml .labels }}
{{ toYaml (dict "a" "true" "b" "1" "c" "" "d" "a: b" "e" "x # y" "f" "null" "g" "1e3" "h" "~" "i" "yes" "j" "- a" "k" "{a}" "l" "multi\\nline" "m" "trail " "n" "@x" "o" "it's" "p" "é" "q" "12:30" "r" "2001-01-01" "s" "0x1f" "t" "=" "u" "!x" "v" "a\\tb" "w" "*a") }}
{{ toYaml (dict "z" nil "f" 1e6 "g" 1.0 "h" true "k" (list (list 1 2) (dict "a" (list)))) }}
{{ toYaml (dict "a" "multi\\nline\\n" "b" "\\nx" "c" "  lead\\nx" "d" "x\\n\\n" "e" "one\\n\\ntwo") }}
{{ printf "%s-%d" .s (add 1 2) | upper | quote | indent 2 }}
{{ .nope | upper }}
{{ .i | upper }}
{{ upper 1 }}
{{ upper nil }}
{{ upper true }}
{{ upper .nil }}
{{ upper .l }}
{{ upper (add 1 2) }}
{{ upper }}
{{ upper "a" "b" }}
{{ "a" | upper "b" }}
{{ trunc "a" "b" }}
{{ trunc .s "b" }}
{{ trunc 1.5 "b" }}
{{ trunc 1.0 "b" }}
{{ "b" | trunc .s }}
{{ 3 | trunc 5 }}
{{ (print 1) | trunc (int "1") }} {{ 3 | trunc (int "2") }}
{{ join .l }}
{{ repeat .i64 "a" }}
{{ round 1 2 "x" }}
{{ round 1 2 .i }}
{{ keys 1 }}
{{ dict "a" .nope }} {{ list .nope nil }} {{ first (list nil) }} {{ (first (list nil)).x }}
""".strip("\n").split("\n")

LINES = [
    "{{ `a\nb` }} {{ .nope.x.y }}",
    "{{ \"a\nb\" }}",
    "{{ .s\n| len }} {{ foo }}",
    "{{ print 1\n2 3 }}\n{{ .s.x }}",
    "{{ if and\n .s\n (.m.a.x) }}{{ end }}",
    "{{ print .s\n\n@ }}",
    "{{ if .s }}\n\n{{ foo }}{{ end }}",
    "{{ .s\n",
    "{{ .s\n}",
    "{{ .s }}\n{{ if .s }}\n a",
    "{{/* a\n b */}}\n{{ foo }}",
    "{{- /* a\n b */ -}}\n\n{{ .s.x }}",
    "a\n\n{{- .s.x }}",
    "a {{ .s -}}\n\n {{ .s.x }}",
    "a {{ .s\n-}}\n\n {{ foo }}",
    "{{ range .l }}\n{{ . }}\n{{ end }}\n{{ template \"x\" .\n}}",
    "{{ define \"a\" }}\n  {{ .x.y }}\n{{ end }}\n{{ template \"a\" .m }}",
    "{{ (.s\n }}",
    "{{ \"a\n",
    "{{ `a\n\n",
    "{{/* \n",
    "{{ 'a\n' }}",
    "é {{ .s }} é\né{{ .m.a.x }}",
    "\ufeff{{ .s.x }}",
    "{{ .s }}\r\n{{ .s.x }}",
    "{{ print .nope\n.s.x\n}}",
    "{{\n.s.x\n}}",
    "{{ .s\t}}{{\t.s }}{{ \u00a0.s }}",
    "{{ \x00 }}",
    "{{ é }}",
    "{{ é日.x }}",
    "{{ .s ² }}",
    "{{ if .s }}{{ else }}\n{{ else }}{{ end }}",
    "{{ end\n}}",
    "{{ block \"b\" .m }}\n{{ .a.x }}{{ end }}",
    "{{ $x := 1\n}}\n{{ $y }}",
]

SPRIG = """
{{ regexMatch "^a+$" "aaa" }} {{ regexMatch "[" "a" }} {{ regexFind "[a-z]+" "12abc34def" }} {{ regexFind "x" "abc" }}| {{ regexFindAll "[0-9]" "a1b2c3" -1 }} {{ regexFindAll "[0-9]" "a1b2c3" 2 }} {{ regexFindAll "x" "abc" -1 }} {{ regexFindAll "a*" "baac" -1 | printf "%q" }} {{ regexFindAll "a" "aa" 0 }}
{{ regexReplaceAll "a(x*)b" "-ab-axxb-" "${1}W" }} {{ regexReplaceAll "a(x*)b" "-ab-axxb-" "$1W" }} {{ regexReplaceAll "(?P<n>b)" "abc" "<${n}$n$$>" }} {{ regexReplaceAll "x*" "abxd" "-" }} {{ regexReplaceAll "" "abc" "-" }} {{ regexReplaceAll "(a)|(b)" "ab" "[$1$2$3]" }} {{ regexReplaceAllLiteral "a(x*)b" "-ab-axxb-" "${1}" }} {{ regexReplaceAll "$" "ab\n" "X" }} {{ regexReplaceAll "(?m)^" "a\nb" ">" }}
{{ regexSplit "z+" "pizza" -1 }} {{ regexSplit "z" "pizza" 2 }} {{ regexSplit "" "abc" -1 }} {{ regexSplit "a" "" -1 | len }} {{ regexSplit "a" "banana" 0 | len }} {{ regexSplit "a" "banana" 1 }} {{ regexSplit "," "a,b," -1 | printf "%q" }} {{ regexSplit "^" "ab" -1 | printf "%q" }} {{ regexSplit "" "" -1 | printf "%q" }}
{{ regexFind "[[:alpha:]]+" "12é3ab" }} {{ regexFind "[^[:space:]]+" " ab c" }} {{ regexFind "\\d+\\s\\w+" "x 12 ab_3" }} {{ regexFind "[\\d\\s]+" "ab 12 3" }} {{ regexFind "[\\D]+" "12ab" }} {{ regexFind "\\D\\W\\S" "1a b" }} {{ regexFind "(?i)ABC" "xabc" }} {{ regexFind "(?i:a)B" "aB" }} {{ regexFind "a(?i)b|C" "xc" }} {{ regexFind "(?s)a.b" "a\nb" | printf "%q" }} {{ regexFind "a.b" "a\nb" | printf "%q" }} {{ regexFind "(?U)a+" "aaa" }} {{ regexFind "(?U)a+?" "aaa" }} {{ regexFind "a+?" "aaa" }} {{ regexFind "\\x41\\x{42}\\103" "ABC" }} {{ regexFind "\\Qa.b\\E+" "a.bbb" }} {{ regexFind "\\Aab\\z" "ab" }} {{ regexFind "\\bfoo\\b" "a foo b" }} {{ regexFind "é\\b" "é" | printf "%q" }} {{ regexFind "a{2,3}" "aaaa" }} {{ regexFind "a{,2}" "a{,2}" }} {{ regexFind "a{2" "a{2" }} {{ regexFind "\\pL+" "1éa" }} {{ regexFind "\\p{Lu}" "aÉ" }} {{ regexFind "[\\p{N}x]+" "ax1" }} {{ regexFind "\\PL+" "ab12" }} {{ regexFind "[]a]+" "b]a" }} {{ regexFind "[^]a]+" "]ab" }} {{ regexFind "[a-]+" "x-a" }} {{ regexFind "[\\-x]+" "-x" }} {{ regexFind "^*a" "a" }} {{ regexFind "(?:)*a" "a" }} {{ regexFind "(|a)+" "aa" | printf "%q" }} {{ regexFind "(?P<x>a)(b)?" "a" }} {{ regexFind "(?<x>a)" "a" }} {{ regexFind "a|ab" "ab" }} {{ regexFind "\\s+" "\v x" | printf "%q" }}
{{ regexFind "[" "a" }}
{{ regexFind "(" "a" }}
{{ regexFind ")" "a" }}
{{ regexFind "*a" "a" }}
{{ regexFind "a**" "a" }}
{{ regexFind "a*+" "a" }}
{{ regexFind "a+?*" "a" }}
{{ regexFind "a{2}{3}" "a" }}
{{ regexFind "a{3,2}" "a" }}
{{ regexFind "a{1001}" "a" }}
{{ regexFind "\\" "a" }}
{{ regexFind "\\1" "a" }}
{{ regexFind "\\8" "a" }}
{{ regexFind "\\y" "a" }}
{{ regexFind "\\Z" "a" }}
{{ regexFind "(?=a)" "a" }}
{{ regexFind "(?!a)" "a" }}
{{ regexFind "(?<=a)" "a" }}
{{ regexFind "(?P=a)" "a" }}
{{ regexFind "(?P<a" "a" }}
{{ regexFind "(?P<a>x)(?P<a>y)" "a" }}
{{ regexFind "(?P<a-b>x)" "a" }}
{{ regexFind "(?z)" "a" }}
{{ regexFind "(?" "a" }}
{{ regexFind "[b-a]" "a" }}
{{ regexFind "[[:foo:]]" "a" }}
{{ regexFind "\\p{Foo}" "a" }}
{{ regexFind "[a" "a" }}
{{ regexFind "a|*" "a" }}
{{ regexFind "(*)" "a" }}
{{ regexFind "\\x{110000}" "a" }}
{{ regexFind "[\\Z]" "a" }}
{{ regexFindAll "`(" "a" -1 }}
{{ regexMatch 1 "a" }}
{{ date "2006-01-02 15:04:05.000 MST -0700 Z07:00 Mon Monday Jan January 1 2 _2 3 03 4 5 06 PM pm 002 __2 .999 Z0700" 1500000000 }} {{ date "2006" (int64 0) }} {{ htmlDate 86400 }} {{ htmlDateInZone 0 "Asia/Tokyo" }} {{ dateInZone "2006-01-02 15:04 MST" 1500000000 "America/New_York" }} {{ dateInZone "15:04 MST" 0 "Nope/Zone" }} {{ date_in_zone "15:04 -07:00" 1500000000 "Europe/Paris" }} {{ date "Jane Monk 20060102T150405Z07:00 _2006 05.00 05,999 05.001" 1500000000 }}
{{ toDate "2006-01-02" "2017-12-31" }} {{ toDate "2006-01-02" "x" }} {{ (toDate "2006-01-02 15:04:05" "2020-02-29 12:30:45").Year }} {{ toDate "2006-01-02T15:04:05Z07:00" "2020-02-29T12:30:45.5+02:00" }} {{ toDate "Jan _2 2006 3:04PM" "Feb  3 2010 4:05PM" }} {{ toDate "Mon Jan 2 15:04:05 MST 2006" "Tue Feb 3 04:05:06 CET 2009" }} {{ toDate "02/01/06" "31/12/99" }} {{ toDate "2006-01-02" "2021-02-30" }} {{ toDate "2006-002" "2020-060" }} {{ toDate "2006-01-02" "2020-01-02x" }} {{ unixEpoch (toDate "2006-01-02" "2017-12-31") }} {{ toDate "15:04" "25:00" }} {{ (toDate "2006-01-02" "2017-12-31").Month }} {{ (toDate "2006-01-02" "2017-12-31").Weekday }}
{{ dateModify "1h30m" (toDate "2006-01-02" "2017-12-31") }} {{ date_modify "-1.5h" (toDate "2006-01-02" "2017-12-31") }} {{ dateModify "x" (toDate "2006-01-02" "2017-12-31") }} {{ toDate "2006-01-02" "2017-12-31" | date "02 Jan 06" }} {{ toJson (toDate "2006-01-02" "2017-12-31") }} {{ typeOf (toDate "2006-01-02" "2017-12-31") }} {{ kindOf (toDate "2006-01-02" "2017-12-31") }} {{ eq (toDate "2006" "2017") (toDate "2006" "2017") }}
{{ unixEpoch 5 }}
{{ unixEpoch "x" }}
{{ dateModify "1h" "x" }}
{{ (toDate "2006" "2017").Nope }}
{{ (toDate "2006" "2017").Format "06" }} {{ (toDate "2006" "2017").Unix }}
{{ semver "1.2.3-beta.1+build" }} {{ (semver "1.2.3").Major }} {{ (semver "v1.2").Minor }} {{ (semver "1.2.3-a").Prerelease }} {{ (semver "1.2.3+b").Metadata }} {{ (semver "v1.2").Original }} {{ (semver "1.2.3").Compare (semver "1.2.4") }} {{ typeOf (semver "1.2.3") }} {{ toJson (semver "1.2.3") }}
{{ semver "x" }}
{{ semver "1.2.3.4" }}
{{ semver "01.2.3-01" }}
{{ semverCompare "^1.2.3" "1.4.0" }} {{ semverCompare "~1.2.3" "1.3.0" }} {{ semverCompare ">= 1.0, < 2" "1.5" }} {{ semverCompare ">=1.0 <2" "1.5" }}
{{ semverCompare "1.2 - 1.4.5" "1.3.0" }} {{ semverCompare "1.2 - 1.4.5 || 2.x" "2.3.0" }} {{ semverCompare "1.x" "1.9.9" }} {{ semverCompare "*" "0.0.1" }} {{ semverCompare "!=1.2" "1.3.0" }} {{ semverCompare "!=1.2.x" "1.2.0" }} {{ semverCompare "=1.2.3" "1.2.3" }} {{ semverCompare "^0.2.3" "0.2.9" }} {{ semverCompare "^0.2.3" "0.3.0" }} {{ semverCompare "^0.0.3" "0.0.4" }} {{ semverCompare ">1.2" "1.2.9" }} {{ semverCompare ">1" "1.9" }} {{ semverCompare "<=1.2" "1.2.9" }} {{ semverCompare "<1.2" "1.2.0" }} {{ semverCompare ">=1.2.3" "1.3.0-beta" }} {{ semverCompare ">=1.2.3-0" "1.3.0-beta" }} {{ semverCompare "~1" "1.9" }} {{ semverCompare "~>1.2" "1.2.5" }} {{ semverCompare "=> 1" "1" }} {{ semverCompare "1.2.3-beta" "1.2.3-beta" }} {{ semverCompare ">1.2.3-alpha.1" "1.2.3-alpha.beta" }} {{ semverCompare "~0.0.0" "5.0.0" }} {{ semverCompare "<=2" "1.9" }} {{ semverCompare "<2.x" "2.9" }}
{{ semverCompare "x y" "1.2.3" }}
{{ semverCompare "1.2.3" "y" }}
{{ semverCompare ">> 1" "1.2.3" }}
{{ semverCompare "" "1.2.3" }}
{{ urlParse "http://user:pa%20ss@host:80/a%20b/c?q=1#frag" }} {{ (urlParse "https://h/p").host }} {{ urlParse "mailto:a@b.c" }} {{ urlParse "/a/b?x" }} {{ urlParse "" }} {{ urlParse "//h/p" }} {{ urlParse "http://[::1]:80/" }} {{ urlParse "HTTP://H" }} {{ urlParse "a/b" }} {{ urlParse "http://h?" }} {{ urlParse "http://u@h" }} {{ urlParse "http:/a" }} {{ urlParse "*" }} {{ urlParse "http://a b" }}
{{ urlParse "http://h/%zz" }}
{{ urlParse ":foo" }}
{{ urlParse "a:b:c" }} {{ urlParse "1:b" }}
{{ urlParse "http://h:x/" }}
{{ urlParse "http://a\x01" }}
{{ urlParse "http://[::1" }}
{{ urlJoin (dict "scheme" "http" "host" "h:80" "path" "/a b" "query" "q=1" "fragment" "f g" "userinfo" "u:p") }} {{ urlJoin (dict "host" "h" "path" "a") }} {{ urlJoin (dict) }} {{ urlJoin (dict "scheme" "mailto" "opaque" "a@b") }} {{ urlJoin (dict "path" "a:b") }} {{ urlJoin (dict "path" "/é?#") }} {{ urlJoin (dict "scheme" "http") }} {{ urlJoin (urlParse "http://user:pa%20ss@host:80/a%20b/c?q=1#frag") }}
{{ urlJoin (dict "host" 1) }}
{{ base "/a/b.txt" }} {{ dir "/a/b/c" }} {{ clean "/a/../b/./c//d" }} {{ ext "a.tar.gz" }} {{ isAbs "/a" }} {{ isAbs "a" }} {{ base "" }} {{ base "/" }} {{ base "a/b/" }} {{ dir "" }} {{ dir "a" }} {{ dir "/a" }} {{ clean "" }} {{ clean "//a" }} {{ clean "../a" }} {{ clean "/../a" }} {{ ext "a" }}| {{ ext ".a" }} {{ ext "a.b/c" }}| {{ dir "a/" }} {{ base "//" }}
{{ derivePassword 1 "long" "password" "user" "example.com" }} {{ derivePassword 2 "pin" "p" "u" "s" }} {{ derivePassword 1 "nope" "p" "u" "s" }}
{{ derivePassword .i "pin" "p" "u" "s" }}
{{ derivePassword -1 "pin" "p" "u" "s" }}
{{ ago 1 | len | lt 3 }} {{ randAlpha 5 | len }} {{ randNumeric 3 | len }} {{ randAscii 4 | len }} {{ uuidv4 | len }} {{ shuffle "abc" | len }} {{ now | date "2006" | len }} {{ expandenv "a$NOPE_X-${NOPE_X}" }} {{ env "NOPE_X" }}|
""".strip("\n").split("\n")

MODERN = """
{{ seq 5 }} {{ seq 2 5 }} {{ seq 0 2 10 }} {{ seq 5 1 }} {{ seq 5 -2 1 }} {{ seq }} {{ seq 5 1 1 }}| {{ seq -3 }} {{ seq 1 2 3 4 }}|
{{ addf 1.5 2 }} {{ add1f 1.1 }} {{ subf 1.1 0.1 }} {{ mulf 1.1 3 }} {{ divf 10 4 }} {{ divf 1 3 }} {{ maxf 1 2.5 }} {{ minf 1.5 2 }} {{ addf 0.1 0.2 }} {{ mulf 0.1 0.2 "3" }} {{ divf 2 3 7 }}
{{ divf 1 0 }}
{{ trunc -3 "hello" }} {{ trunc -9 "hello" }} {{ trunc 2 "hello" }} {{ int "0x10" }} {{ int "010" }} {{ int "3.0" }} {{ int "3.5" }} {{ int64 "0b11" }} {{ int "08" }} {{ float64 "1e3" }} {{ add "0x10" 1 }} {{ int ".0" }} {{ int "1_0" }} {{ int nil }} {{ int .l }} {{ int "-5.00" }} {{ int "5." }}
{{ fromJson "{\"a\": [1, 2.5, \"x\", null, true], \"b\": 10000000}" }} {{ fromJson "x" }} {{ (fromJson "{\"a\": 1}").a }} {{ fromJson "1e3" }} {{ fromJson "[]" }} {{ fromJson "\"\\u00e9\"" }}
{{ mustFromJson "x" }}
{{ mustFromJson "" }}
{{ mustFromJson "{" }}
{{ mustFromJson "[1] x" }}
{{ mustToJson .m }} {{ toRawJson "<a>&" }} {{ mustToPrettyJson .m }} {{ mustToRawJson .l }}
{{ get .m "a" }} {{ get .m "x" }}| {{ dig "c" "d" "z" .m }} {{ dig "c" "x" "z" .m }} {{ dig "q" "x" "z" .m }} {{ dig "a" 0 .m }}
{{ dig "a" "b" "z" .m }}
{{ dig "a" .m }}
{{ dig "a" "b" 1 }}
{{ chunk 2 .l }} {{ chunk 3 (list 1 2 3) }} {{ chunk 5 (list 1) }} {{ typeOf (chunk 2 .l) }} {{ chunk 2 (list) }}
{{ chunk 0 .l }}
{{ chunk 2 "x" }}
{{ all 1 2 }} {{ all 1 0 }} {{ any 0 1 }} {{ any 0 "" }} {{ all }} {{ any }} {{ mustAppend .ints 1 }} {{ mustFirst .l }} {{ mustHas 1 .l }} {{ mustSlice .l 1 2 }} {{ mustUniq (list 1 1) }} {{ mustWithout (list 1 2) 1 }} {{ mustCompact (list 0 1) }} {{ mustReverse .ints }} {{ mustLast .ints }} {{ mustRest .ints }} {{ mustInitial .ints }} {{ mustPrepend .ints 0 }} {{ mustPush .ints 0 }} {{ mustDeepCopy .m }}
{{ mustFirst 1 }}
{{ mustAppend 1 1 }}
{{ mustSlice 1 1 }}
{{ mustMerge (dict "a" 1) (dict "a" 2 "b" 3) }} {{ mustMergeOverwrite (dict "a" 1) (dict "a" 2 "b" nil) }} {{ mergeOverwrite (dict "a" 1) (dict "a" (dict "b" 1)) }} {{ merge (dict "a" (dict)) (dict "a" (dict "b" 1)) }} {{ mergeOverwrite (dict "a" (dict "x" 1)) (dict "a" "s") }} {{ mergeOverwrite (dict "a" "s") (dict "a" (list)) }} {{ merge (dict "a" nil) (dict "a" (list)) }}
{{ sha512sum "a" | trunc 20 }} {{ duration 95 }} {{ duration "95" }} {{ duration (int64 3661) }} {{ durationRound "2h10m5s" }} {{ durationRound "400h" }} {{ durationRound "x" }} {{ durationRound (int64 5000000000) }} {{ durationRound "1h" }} {{ durationRound "9000h" }} {{ durationRound "90s" }}
{{ mustDateModify "1h" (toDate "2006" "2017") }} {{ mustToDate "2006-01-02" "2017-12-31" }}
{{ mustDateModify "x" (toDate "2006" "2017") }}
{{ mustDateModify "5" (toDate "2006" "2017") }}
{{ mustDateModify "5x" (toDate "2006" "2017") }}
{{ mustToDate "2006-01-02" "x" }}
{{ mustToDate "2006-01-02" "2017-13-31" }}
{{ mustToDate "2006-01-02" "2017-02-31" }}
{{ mustToDate "2006-01-02" "2017-02-03 x" }}
{{ mustToDate "2006/01/02" "2017-02-03" }}
{{ mustToDate "15:04:05" "24:00:00" }}
{{ mustToDate "3PM" "13PM" }}
{{ mustRegexMatch "a" "a" }} {{ mustRegexFind "a+" "baa" }} {{ mustRegexFindAll "a" "aa" -1 }} {{ mustRegexReplaceAll "a" "ba" "$0$0" }} {{ mustRegexReplaceAllLiteral "a" "ba" "$0" }} {{ mustRegexSplit "a" "bac" -1 }} {{ regexQuoteMeta "a.b*[c]$-" }}
{{ mustRegexMatch "[" "a" }}
{{ mustRegexFind "(" "a" }}
{{ mustRegexSplit "a**" "a" 1 }}
{{ osBase "/a/b" }} {{ osDir "/a/b" }} {{ osClean "a//b" }} {{ osExt "a.b" }} {{ osIsAbs "/a" }} {{ randInt 3 4 }} {{ randBytes 3 | len }}
{{ camelcase "some_words" }} {{ semverCompare ">=1.0 <2" "1.5" }} {{ semverCompare "" "1.2.3" }} {{ semverCompare "1.2" "1.2.9" }}
{{ semverCompare "1.2.3.4" "1.2.3" }}
{{ coalesce .nil .e "z" }} {{ ternary "a" "b" (empty .e) }} {{ hasKey .m "a" }} {{ typeOf (semver "1.2.3").Major }} {{ (semver "v1.2.3").IncMinor }} {{ (semver "1.2.3-a").IncPatch }}
""".strip("\n").split("\n")

GROUPS = {"actions": ("go", ACTIONS + LINES), "builtins": ("go", BUILTINS), "kudo": ("kudo", [*KUDO, '{{ env "HOME" }}', '{{ base "/a" }}']), "sprig2": ("sprig2", SPRIG),
          "sprig3": ("sprig3", KUDO + SPRIG + MODERN)}  # fmt: skip
