"""No secret leaves: masks for API objects and for texts (logs, events, messages, errors).

Two ways at once: places that hold secrets (Secret data, keys named like a password, credentials in URLs and headers),
and values that are known to be secret, wherever they stand. Imported by the rest of harness.report, and by the plugin.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from harness.kit.documents import Manifest

__all__ = ["MASK", "Redactor", "is_sensitive"]

MASK = "[redacted]"

_SHORTEST = 4  # characters; masking shorter values everywhere would eat the text
_SHORT = 8  # a short value is masked as a word only: "admin" must not eat "mysqladmin"
_LONGEST_LINE = 16  # lines of a key file are masked one by one from this length on

_SENSITIVE = re.compile(
    r"(^|[^a-z])pass($|[^a-z])|passw(or)?d|passphrase|passcode|pwd|secret|token|credential|sst_?auth|authorization|"
    r"(api|access|private|encryption|signing|client|shared|master|ssl|tls|auth)[-_.]?key",
    re.IGNORECASE,
)
_HARMLESS = re.compile(  # where a secret is, or how it is handled, is no secret
    r"(^|[-_.])(names?|refs?|path|file|dir|namespace|seconds|time|timestamp|expiration|expiry|count|size|length|type|"
    r"version|enabled|policy|key_?id|uid|user|username|host|port|url|audience|mode|algorithm|plugin|method)$",
    re.IGNORECASE,
)
_FILE = re.compile(
    r"\.(ya?ml|json|sh|tpl|tmpl|sql|cnf|conf|ini|properties|py|xml)$", re.IGNORECASE
)  # masked line by line
_STRUCTURAL = {
    "key",
    "secret",
    "token",
    "tokens",
    "secrets",
}  # field names of Kubernetes' own types hold names or objects
_PUBLIC_KEYS = re.compile(
    r"(^|[-_.])(user|username|host|hostname|port|database|db|dbname|name|namespace|ca\.crt|tls\.crt)$", re.IGNORECASE
)
_COMMON = {"true", "false", "null", "none", "root", "default", "mysql", "mariadb", "localhost"}

_KEY = (
    r"(?<![\w.-])[\w.-]{0,160}(?:passw(?:or)?d|passphrase|pwd|secret|token|credentials?|api[-_.]?key|access[-_.]?key|private[-_.]?key|"
    r"encryption[-_.]?key|signing[-_.]?key)[\w.-]{0,80}"
)
_PLAIN = (
    r"(?:yes|no|true|false|null|none|nil|on|off)\b|\(|\{|\[(?!redacted)"  # "(using password: YES)" is worth reading
)
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?(-----END \1-----|\Z)", re.DOTALL), MASK),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"), MASK),  # a JSON web token
    (re.compile(r"(\b(?:proxy-)?authorization\b[\"']?\s*[:=]\s*[\"']?)[^\"'\r\n]+", re.IGNORECASE), rf"\1{MASK}"),
    (re.compile(r"(\bbearer\s+)[\w.~+/=-]{8,}", re.IGNORECASE), rf"\1{MASK}"),
    (re.compile(r"(\bwsrep_sst_auth[\"']?\s*[:=]\s*)[^\r\n]+", re.IGNORECASE), rf"\1{MASK}"),
    (re.compile(r"(\b[a-z][a-z0-9+.-]{0,20}://[^\s:/@\"']*:)[^\s/@\"']+(?=@)", re.IGNORECASE), rf"\1{MASK}"),
    (
        re.compile(r"(\bidentified\s+(?:by|via\s+\w+\s+using)(?:\s+password)?\s+)('[^']*'|\"[^\"]*\")", re.IGNORECASE),
        rf"\1'{MASK}'",
    ),
    (re.compile(r"(\bpassword\s*\(\s*)('[^']*'|\"[^\"]*\")", re.IGNORECASE), rf"\1'{MASK}'"),
    (
        re.compile(r"(\b(?:mysql|mariadb|mysqldump|mysqladmin)[\w-]*\b[^\n|;]*?\s-p)(?!\s|assword)[^\s\"']+"),
        rf"\1{MASK}",
    ),
    (re.compile(r"(--[\w-]*(?:password|passphrase|secret|token)\s+)(?!-)[^\s\"']+", re.IGNORECASE), rf"\1{MASK}"),
)
_LINE = re.compile(  # a line of a configuration file: all that follows belongs to the value
    rf"^(?P<lead>\s*(?:export\s+|-\s+)?[\"']?)(?P<key>{_KEY})(?P<sep>[\"']?\s*[:=][ \t]*)(?!\s|{_PLAIN})(?P<value>.+)$",
    re.IGNORECASE | re.MULTILINE,
)
_ASSIGNMENT = re.compile(
    rf"(?P<key>{_KEY})(?P<sep>[\"']?\s*[:=]\s*)(?!\s|{_PLAIN})(?P<value>\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*'|[^\s,;&\"']+)",
    re.IGNORECASE,
)


def is_sensitive(key: str) -> bool:
    """Tell whether a value under this name is taken for a secret: ROOT_PASSWORD is one, PASSWORD_FILE is none."""
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", key)
    return bool(_SENSITIVE.search(words)) and not (_HARMLESS.search(words) or _FILE.search(key))


class Redactor:
    """Masks secrets in objects and texts; what it has learnt to be secret, it masks everywhere."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._known: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        for value in values:
            self.learn_value(value)

    def learn_value(self, value: str) -> None:
        """Take a value for secret: it, its lines, and its base64, URL and JSON forms are masked from now on."""
        for line in (value, *value.splitlines()):
            text = line.strip()
            whole = line is value
            if (
                len(text) < (_SHORTEST if whole else _LONGEST_LINE)
                or text.lower() in _COMMON
                or text.startswith("-----")
            ):
                continue
            encoded = base64.b64encode(line.encode()).decode()
            with_newline = base64.b64encode(f"{text}\n".encode()).decode()  # as `echo pw | base64` has it
            forms = (text, encoded, encoded.rstrip("="), with_newline, quote(text, safe=""), json.dumps(text)[1:-1])
            self._known.update(form for form in forms if len(form) >= _SHORTEST)
        self._pattern = None

    def learn(self, manifest: Manifest) -> None:
        """Take the values of a Secret, and values under sensitive names in any other object, for secret."""
        if manifest.get("kind") == "Secret":
            for value in _secret_values(manifest):
                self.learn_value(value)
        else:
            self._learn_part(manifest)

    def text(self, text: str) -> str:
        """Return a text without its secrets."""
        pattern = self._compiled()
        result = pattern.sub(MASK, text) if pattern else text
        for expression, replacement in _PATTERNS:
            result = expression.sub(replacement, result)
        return _ASSIGNMENT.sub(_masked_assignment, _LINE.sub(_masked_line, result))

    def manifest(self, manifest: Manifest) -> Manifest:
        """Return an object without its secrets and without managedFields; the given one is not changed."""
        clean = {key: value for key, value in manifest.items() if key != "metadata"}
        result: Manifest = self._part(clean, ())
        metadata = {key: value for key, value in (manifest.get("metadata") or {}).items() if key != "managedFields"}
        if "metadata" in manifest:
            result["metadata"] = self._part(metadata, ("metadata",))
        if manifest.get("kind") == "Secret":
            for field in ("data", "stringData"):
                if manifest.get(field):
                    result[field] = dict.fromkeys(manifest[field], MASK)
        return result

    def _part(self, value: Any, path: tuple[str, ...]) -> Any:
        if isinstance(value, Mapping):
            return self._mapping(value, path)
        if isinstance(value, list):
            return self._list(value, path)
        return self._string(value, path) if isinstance(value, str) else value

    def _mapping(self, value: Mapping[str, Any], path: tuple[str, ...]) -> Manifest:
        """Mask the values of sensitive keys, and those of entries with a sensitive name (env, parameters)."""
        secret_entry = isinstance(value.get("name"), str) and is_sensitive(value["name"])
        result = {}
        for key, item in value.items():
            masked = _hides(key, path) or (secret_entry and key in {"value", "default"})
            result[key] = MASK if masked and isinstance(item, str) and item else self._part(item, (*path, key))
        return result

    def _list(self, items: list[Any], path: tuple[str, ...]) -> list[Any]:
        result = []
        for index, item in enumerate(items):
            before = items[index - 1] if index else None
            flagged = (
                isinstance(before, str) and before.startswith("--") and "=" not in before and is_sensitive(before[2:])
            )
            result.append(MASK if flagged and isinstance(item, str) else self._part(item, path))
        return result

    def _string(self, text: str, path: tuple[str, ...]) -> str:
        if "annotations" in path and text.startswith("{"):
            return self._json(text)
        if "binaryData" in path:
            return self._binary(text)
        return self.text(text)

    def _json(self, text: str) -> str:
        """Mask inside an annotation that holds an object, such as the last applied configuration."""
        try:
            value = json.loads(text)
        except ValueError:
            return self.text(text)
        return json.dumps(self.manifest(value), separators=(",", ":"), sort_keys=True)

    def _binary(self, text: str) -> str:
        try:
            plain = base64.b64decode(text, validate=True).decode()
        except (binascii.Error, ValueError):
            return text
        return text if self.text(plain) == plain else MASK

    def _learn_part(self, value: Any, path: tuple[str, ...] = ()) -> None:
        if isinstance(value, Mapping):
            secret_entry = isinstance(value.get("name"), str) and is_sensitive(value["name"])
            for key, item in value.items():
                hidden = _hides(key, path) or (secret_entry and key in {"value", "default"})
                if hidden and isinstance(item, str) and _is_literal(item):
                    self.learn_value(item)
                self._learn_part(item, (*path, key))
        elif isinstance(value, list):
            for item in value:
                self._learn_part(item, path)

    def _compiled(self) -> re.Pattern[str] | None:
        if self._pattern is None and self._known:
            self._pattern = re.compile("|".join(_bounded(form) for form in sorted(self._known, key=len, reverse=True)))
        return self._pattern


def _hides(key: str, path: tuple[str, ...]) -> bool:
    """Tell whether a key's text is secret; keys of data and parameters are the user's, others Kubernetes' own."""
    own = bool({"data", "parameters", "binaryData", "stringData"} & set(path))
    if key.lower() in _STRUCTURAL:
        return own
    return is_sensitive(key)


def _is_literal(value: str) -> bool:
    """Tell whether a value is a secret itself, and not a reference, a path or a whole file."""
    return not value.startswith(("$(", "{{", "/")) and "\n" not in value.strip()


def _bounded(form: str) -> str:
    escaped = re.escape(form)
    # A dash joins words, too: the password "admin" must not eat the program mariadb-admin.
    return rf"(?<![A-Za-z0-9-]){escaped}(?![A-Za-z0-9-])" if len(form) < _SHORT else escaped


def _masked_line(found: re.Match[str]) -> str:
    return f"{found['lead']}{found['key']}{found['sep']}{MASK}" if is_sensitive(found["key"]) else found[0]


def _masked_assignment(found: re.Match[str]) -> str:
    key = found["key"]
    if not is_sensitive(key):
        return found[0]
    quoted = found["value"][0] if found["value"][0] in "\"'" else ""
    return f"{key}{found['sep']}{quoted}{MASK}{quoted}"


def _secret_values(secret: Manifest) -> Iterable[str]:
    plain = {key: str(value) for key, value in (secret.get("stringData") or {}).items()}
    for key, value in (secret.get("data") or {}).items():
        try:
            plain[key] = base64.b64decode(value).decode()
        except (binascii.Error, ValueError, TypeError):
            yield str(value)  # not text: its base64 is what could be seen
    for key, value in plain.items():
        if not _PUBLIC_KEYS.search(key):
            yield value
            yield from _inner_values(value)


def _inner_values(text: str) -> Iterable[str]:
    """Return the secrets inside of a secret file: a registry login in JSON, options in lines of key=value."""
    try:
        value = json.loads(text) if text.startswith("{") else None
    except ValueError:
        value = None
    stack = [value]
    while stack:
        part = stack.pop()
        if isinstance(part, dict):
            yield from (
                item for key, item in part.items() if isinstance(item, str) and (key == "auth" or is_sensitive(key))
            )
            stack.extend(part.values())
        elif isinstance(part, list):
            stack.extend(part)
    for found in _ASSIGNMENT.finditer(text):
        if is_sensitive(found["key"]):
            yield found["value"].strip("\"'")
    for found in re.finditer(r"wsrep_sst_auth\s*=\s*[\"']?[^:\s]+:([^\s\"']+)", text):
        yield found[1]
