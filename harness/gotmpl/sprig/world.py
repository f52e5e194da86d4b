"""What templates may ask of the outside: time, chance, environment, names of hosts; and the functions that ask.

A World is handed to sprig_v2_22() and sprig_v3(); without one these functions refuse with its name, so that the
package itself has no clock and no chance.
"""

from __future__ import annotations

import base64
import re
import string
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from random import Random
from typing import Any

from harness.gotmpl.errors import FunctionError
from harness.gotmpl.functions import GoFunction, function, struct_type
from harness.gotmpl.sprig.gotime import SECOND, Time, format_duration, load_zone, parse_duration, parse_time
from harness.gotmpl.values import Int32, Int64

__all__ = ["World", "world_functions"]

_TIME = struct_type(Time)
_ASCII = "".join(map(chr, range(32, 127)))
_HOUR = 3600 * SECOND


@dataclass(frozen=True, kw_only=True)
class World:
    """The outside of templates.

    Attributes:
        clock: tells the seconds since 1970, as time.time does.
        random: where chance comes from; random.SystemRandom() for passwords.
        environment: what env and expandenv read.
        zone: the time zone that is local.
        resolve: returns the address of a host by its name.
    """

    clock: Callable[[], float]
    random: Random
    environment: Mapping[str, str] = field(default_factory=dict)
    zone: tzinfo = UTC
    resolve: Callable[[str], str] | None = None


class _Functions:
    """The functions over one world, or over none."""

    def __init__(self, world: World | None) -> None:
        self._world = world

    def _given(self, name: str) -> World:
        if self._world is None:
            raise FunctionError(f"{name} needs a World, which tells it the time, chance and environment")
        return self._world

    # Time

    def now(self) -> Time:
        world = self._given("now")
        return Time(round(world.clock() * 1_000_000) * 1000, world.zone)

    def _moment(self, value: Any) -> Time:
        if isinstance(value, Time):
            return value
        if type(value) in (int, Int64, Int32):
            return Time(value * SECOND)
        return self.now()

    def _local(self) -> tzinfo:
        return self._world.zone if self._world else UTC

    def date(self, layout: str, value: Any) -> str:
        return self._moment(value).inside(self._local()).format(layout)

    def date_in_zone(self, layout: str, value: Any, zone: str) -> str:
        known = self._local() if zone == "Local" else load_zone(zone)
        return self._moment(value).inside(known or UTC).format(layout)

    def date_modify(self, duration: str, time: Time) -> Time:
        try:
            return time.add(parse_duration(duration))
        except ValueError:
            return time

    def must_date_modify(self, duration: str, time: Time) -> Time:
        try:
            return time.add(parse_duration(duration))
        except ValueError as error:
            raise FunctionError(str(error)) from None

    def to_date(self, layout: str, text: str) -> Time:
        try:
            return parse_time(layout, text, self._local())
        except ValueError:
            return Time()

    def must_to_date(self, layout: str, text: str) -> Time:
        try:
            return parse_time(layout, text, self._local())
        except ValueError as error:
            raise FunctionError(str(error)) from None

    def ago(self, value: Any) -> str:
        past = self.now().nanoseconds - self._moment(value).nanoseconds
        return format_duration((past + SECOND // 2) // SECOND * SECOND)

    def duration_round(self, value: Any) -> str:
        length = 0
        if isinstance(value, Time):
            length = self.now().nanoseconds - value.nanoseconds
        elif isinstance(value, Int64):
            length = int(value)
        elif isinstance(value, str):
            try:
                length = parse_duration(value)
            except ValueError:
                length = 0
        return _rounded_duration(abs(length))

    # Chance

    def _pick(self, name: str, alphabet: str, count: int) -> str:
        chance = self._given(name).random
        return "".join(chance.choice(alphabet) for _ in range(count))

    def picker(self, name: str, alphabet: str) -> GoFunction:
        return function("int", lambda count: self._pick(name, alphabet, count))

    def shuffle(self, text: str) -> str:
        chars = list(text)
        self._given("shuffle").random.shuffle(chars)
        return "".join(chars)

    def uuid(self) -> str:
        return str(uuid.UUID(int=self._given("uuidv4").random.getrandbits(128), version=4))

    def rand_int(self, low: int, high: int) -> int:
        if high <= low:
            raise FunctionError("invalid argument to Intn")
        return self._given("randInt").random.randrange(low, high)

    def rand_bytes(self, count: int) -> str:
        return base64.b64encode(self._given("randBytes").random.randbytes(count)).decode("ascii")

    # Environment

    def env(self, name: str) -> str:
        return self._given("env").environment.get(name, "")

    def expandenv(self, text: str) -> str:
        environment = self._given("expandenv").environment
        return _VARIABLE.sub(lambda found: environment.get(found[1] or found[2], ""), text)

    def resolve(self, name: str) -> str:
        resolve = self._given("getHostByName").resolve
        if resolve is None:
            raise FunctionError("getHostByName needs a World that resolves names")
        return resolve(name)


_VARIABLE = re.compile(r"\$(?:\{([^}]*)\}|([A-Za-z_][A-Za-z0-9_]*|[0-9*#$@!?-]))")


def _rounded_duration(length: int) -> str:
    for name, hours in (("y", 24 * 365), ("mo", 24 * 30), ("d", 24), ("h", 1)):
        if length > hours * _HOUR:
            return f"{length // (hours * _HOUR)}{name}"
    for name, scale in (("m", 60 * SECOND), ("s", SECOND)):
        if length > scale:
            return f"{length // scale}{name}"
    return "0s"


def _duration(value: Any) -> str:
    if isinstance(value, str):
        sign, digits = (value[:1], value[1:]) if value[:1] in ("-", "+") else ("", value)
        return format_duration(int(sign + digits) * SECOND if digits.isascii() and digits.isdigit() else 0)
    return format_duration(int(value) * SECOND if isinstance(value, Int64) else 0)


def world_functions(world: World | None, *, modern: bool) -> dict[str, GoFunction]:
    """Return the functions that need the outside, and those on times.

    Args:
        world: the outside; without it, functions that need it fail when they are called.
        modern: add those that came with sprig 3.
    """
    own = _Functions(world)
    functions = {
        "now": function("", own.now),
        "date": function("string, any", own.date),
        "htmlDate": function("any", lambda value: own.date("2006-01-02", value)),
        "htmlDateInZone": function("any, string", lambda value, zone: own.date_in_zone("2006-01-02", value, zone)),
        "ago": function("any", own.ago),
        "toDate": function("string, string", own.to_date),
        "unixEpoch": function("time.Time", lambda time: str(time.nanoseconds // SECOND), _TIME),
        "randAlphaNum": own.picker("randAlphaNum", string.ascii_letters + string.digits),
        "randAlpha": own.picker("randAlpha", string.ascii_letters),
        "randNumeric": own.picker("randNumeric", string.digits),
        "randAscii": own.picker("randAscii", _ASCII),
        "shuffle": function("string", own.shuffle),
        "uuidv4": function("", own.uuid),
        "env": function("string", own.env),
        "expandenv": function("string", own.expandenv),
        "getHostByName": function("string", own.resolve),
    }
    for name in ("dateInZone", "date_in_zone"):
        functions[name] = function("string, any, string", own.date_in_zone)
    for name in ("dateModify", "date_modify"):
        functions[name] = function("string, time.Time", own.date_modify, _TIME)
    return functions | (_modern(own) if modern else {})


def _modern(own: _Functions) -> dict[str, GoFunction]:
    return {
        "duration": function("any", _duration),
        "durationRound": function("any", own.duration_round),
        "mustDateModify": function("string, time.Time", own.must_date_modify, _TIME),
        "must_date_modify": function("string, time.Time", own.must_date_modify, _TIME),
        "mustToDate": function("string, string", own.must_to_date),
        "randInt": function("int, int", own.rand_int),
        "randBytes": function("int", own.rand_bytes),
    }
