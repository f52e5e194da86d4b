"""Sprig's functions on paths and URLs.

Private to gotmpl.sprig. Paths are slash-separated, as Go's path package has them.
"""

from __future__ import annotations

import ipaddress
import posixpath
import re
from dataclasses import dataclass
from typing import Any

from harness.gotmpl.errors import FunctionError
from harness.gotmpl.functions import GoFunction, function
from harness.gotmpl.strconv import decode, encode, quote
from harness.gotmpl.values import kind_name

__all__ = ["PATHS", "PATHS_V3", "URLS"]


def _clean(path: str) -> str:
    cleaned = posixpath.normpath(path) if path else "."
    return "/" + cleaned.lstrip("/") if cleaned.startswith("//") else cleaned


def _base(path: str) -> str:
    if not path:
        return "."
    return path.rstrip("/").rpartition("/")[2] or "/"


def _dir(path: str) -> str:
    head, slash, _ = path.rpartition("/")
    return _clean(head + slash)


def _ext(path: str) -> str:
    name = path.rpartition("/")[2]
    return name[name.rfind(".") :] if "." in name else ""


PATHS: dict[str, GoFunction] = {
    "base": function("string", _base),
    "dir": function("string", _dir),
    "clean": function("string", _clean),
    "ext": function("string", _ext),
    "isAbs": function("string", lambda path: path.startswith("/")),
}
PATHS_V3: dict[str, GoFunction] = PATHS | {
    "osBase": PATHS["base"],
    "osDir": PATHS["dir"],
    "osClean": PATHS["clean"],
    "osExt": PATHS["ext"],
    "osIsAbs": PATHS["isAbs"],
}

_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~")
_KEPT = {
    "path": _UNRESERVED | frozenset(b"$&+,/:;=@"),
    "raw path": _UNRESERVED | frozenset(b"$&+,/:;=@!'()*[]"),
    "user": _UNRESERVED | frozenset(b"$&+,;="),
    "host": _UNRESERVED | frozenset(b"!$&'()*+,;=:[]<>\""),
    "fragment": _UNRESERVED | frozenset(b"$&+,/:;=?@!()*"),
    "raw fragment": _UNRESERVED | frozenset(b"$&+,/:;=?@!()*'[]"),
}
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(.*)", re.DOTALL)
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_USERINFO = re.compile(r"[A-Za-z0-9\-._:~!$&'()*+,;=%@]*")
_PORT = re.compile(r"(:[0-9]*)?")


class _UrlError(Exception):
    """What is wrong with a URL, in Go's words."""


@dataclass(slots=True)
class _Url:
    scheme: str = ""
    opaque: str = ""
    user: str | None = None
    host: str = ""
    path: str = ""
    raw_path: str = ""
    query: str = ""
    force_query: bool = False
    fragment: str = ""
    raw_fragment: str = ""


def _escape(text: str, where: str) -> str:
    kept = _KEPT[where]
    return "".join(chr(byte) if byte in kept else f"%{byte:02X}" for byte in encode(text))


def _unescape(text: str, *, host: bool = False) -> str:
    data = encode(text)
    at = data.find(b"%")
    while at >= 0:
        if not _ESCAPE.match(data, at):
            raise _UrlError(f"invalid URL escape {quote(decode(data[at : at + 3]))}")
        if host and data[at + 1 : at + 3] != b"25" and int(data[at + 1 : at + 2], 16) < 8:  # noqa: PLR2004 - ASCII
            raise _UrlError(f"invalid URL escape {quote(decode(data[at : at + 3]))}")
        at = data.find(b"%", at + 3)
    if host:
        _check_host(text)
    return decode(_ESCAPE.sub(lambda found: bytes([int(found[1], 16)]), data))


def _check_host(text: str) -> None:
    for char in text:
        if char.isascii() and char != "%" and ord(char) not in _KEPT["host"]:
            raise _UrlError(f"invalid character {quote(char)} in host name")


def _parse(text: str) -> _Url:
    url = _Url()
    rest, _, fragment = text.partition("#")
    try:
        _parse_front(url, rest)
    except _UrlError as error:
        raise FunctionError(f"unable to parse url: parse {quote(rest)}: {error}") from None
    try:
        url.fragment, url.raw_fragment = _unescape(fragment), fragment
    except _UrlError as error:
        raise FunctionError(f"unable to parse url: parse {quote(text)}: {error}") from None
    return url


def _parse_front(url: _Url, rest: str) -> None:
    if any(char < " " or char == "\x7f" for char in rest):
        raise _UrlError("net/url: invalid control character in URL")
    if rest == "*":
        url.path = "*"
        return
    found = _SCHEME.fullmatch(rest)
    if found:
        url.scheme, rest = found[1].lower(), found[2]
    elif rest.startswith(":"):
        raise _UrlError("missing protocol scheme")
    if rest.endswith("?") and rest.count("?") == 1:
        url.force_query, rest = True, rest[:-1]
    else:
        rest, _, url.query = rest.partition("?")
    if not rest.startswith("/"):
        if url.scheme:
            url.opaque = rest
            return
        if ":" in rest.partition("/")[0]:
            raise _UrlError("first path segment in URL cannot contain colon")
    if rest.startswith("//") and (url.scheme or not rest.startswith("///")):
        authority, slash, tail = rest[2:].partition("/")
        rest = slash + tail
        _parse_authority(url, authority)
    url.path, url.raw_path = _unescape(rest), rest


def _parse_authority(url: _Url, authority: str) -> None:
    userinfo, at, host = authority.rpartition("@")
    url.host = _parse_host(url.scheme, host)
    if not at:
        return
    if not _USERINFO.fullmatch(userinfo):
        raise _UrlError("net/url: invalid userinfo")
    name, colon, password = userinfo.partition(":")
    url.user = _escape(_unescape(name), "user") + (colon + _escape(_unescape(password), "user") if colon else "")


def _parse_host(scheme: str, host: str) -> str:
    if host.rfind("[") > 0:
        raise _UrlError("invalid IP-literal")
    if host.startswith("["):
        end = host.rfind("]")
        if end < 0:
            raise _UrlError("missing ']' in host")
        _check_port(host[end + 1 :])
        inner = _unescape(host[1:end].replace("%25", "%2525", 1)) if "%25" in host else host[1:end]
        _check_address(inner)
        return f"[{inner.replace('%25', '%', 1)}]{host[end + 1 :]}"
    colon = host.find(":") if scheme in ("http", "https") else host.rfind(":")
    if colon >= 0:
        _check_port(host[colon:])
    return _unescape(host, host=True)


def _check_port(text: str) -> None:
    if not _PORT.fullmatch(text):
        raise _UrlError(f"invalid port {quote(text)} after host")


def _check_address(text: str) -> None:
    try:
        ipaddress.IPv6Address(text.replace("%25", "%", 1))
    except ValueError:
        raise _UrlError(f"invalid host: ParseAddr({quote(text)}): unable to parse IP") from None


def _hostname(host: str) -> str:
    if host.startswith("["):
        return host[1 : host.rfind("]")]
    name, colon, port = host.rpartition(":")
    return name if colon and re.fullmatch("[0-9]*", port) else host


def _url_parse(text: str) -> dict[str, Any]:
    url = _parse(text)
    return {
        "scheme": url.scheme,
        "host": url.host,
        "hostname": _hostname(url.host),
        "path": url.path,
        "query": url.query,
        "opaque": url.opaque,
        "fragment": url.fragment,
        "userinfo": url.user or "",
    }


def _url_join(table: dict[str, Any]) -> str:
    fields = {name: _field(table, name) for name in ("scheme", "host", "path", "query", "opaque", "fragment")}
    userinfo = _field(table, "userinfo")
    user = None
    if userinfo:
        try:
            holder = _Url()
            _parse_authority(holder, f"{userinfo}@host")
        except _UrlError as error:
            shown = quote(f"proto://{userinfo}@host")
            raise FunctionError(f"unable to parse userinfo in dict: parse {shown}: {error}") from None
        user = holder.user
    return _joined(fields, user)


def _field(table: dict[str, Any], name: str) -> str:
    value = table.get(name, "")
    if not isinstance(value, str):
        raise FunctionError(f"unable to parse {name} key, must be of type string, but {kind_name(value)} found")
    return value


def _joined(fields: dict[str, str], user: str | None) -> str:
    scheme, host, path = fields["scheme"], fields["host"], fields["path"]
    text = f"{scheme}:" if scheme else ""
    if fields["opaque"]:
        text += fields["opaque"]
    else:
        if (scheme or host or user is not None) and (host or path or user is not None):
            text += "//" + (f"{user}@" if user is not None else "") + _escape(host, "host")
        escaped = "*" if path == "*" else _escape(path, "path")
        if escaped and not escaped.startswith("/") and host:
            text += "/"
        if not text and ":" in escaped.partition("/")[0]:
            text += "./"
        text += escaped
    text += f"?{fields['query']}" if fields["query"] else ""
    return text + (f"#{_escape(fields['fragment'], 'fragment')}" if fields["fragment"] else "")


URLS: dict[str, GoFunction] = {
    "urlParse": function("string", _url_parse),
    "urlJoin": function("map", _url_join),
}
