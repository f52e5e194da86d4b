"""Go's time.Time and time.Duration: layouts like "2006-01-02", parsing, printing.

Private to gotmpl.sprig.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from harness.gotmpl.errors import FunctionError
from harness.gotmpl.strconv import encode
from harness.gotmpl.values import Int64, Struct

__all__ = ["SECOND", "Time", "format_duration", "load_zone", "parse_duration", "parse_time"]

SECOND = 1_000_000_000  # nanoseconds
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ZERO_SECONDS = -62_135_596_800  # year 1
_LAST_SECONDS = 253_402_300_800  # year 10000
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
           "November", "December")  # fmt: skip
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_CHUNK = re.compile(
    r"January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|0[1-6]|002|15|1|2006|2|_(?=2006)|_2|__2|3|4|5|PM|pm"
    r"|[-Z]070000|[-Z]07:00:00|[-Z]0700|[-Z]07:00|[-Z]07|[.,](?:0+|9+)(?![0-9])"
)


def load_zone(name: str) -> tzinfo | None:
    """Return a time zone by its name, or None when nobody knows it."""
    if name in ("", "UTC"):
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):  # zoneinfo knows of no single error
        return None


@dataclass(frozen=True, order=True)
class Time(Struct):
    """A moment, in nanoseconds since 1970, and the zone in which it is shown."""

    nanoseconds: int = _ZERO_SECONDS * SECOND
    zone: tzinfo = UTC

    go_type = "time.Time"

    def __post_init__(self) -> None:
        if not _ZERO_SECONDS <= self.nanoseconds // SECOND < _LAST_SECONDS:
            raise FunctionError("a time outside of the years 1 to 9999 is not supported here")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Time) and self.nanoseconds == other.nanoseconds

    def __hash__(self) -> int:
        return hash(self.nanoseconds)

    def calendar(self) -> datetime:
        """Return date and clock in the time's own zone, without the nanoseconds."""
        moment = _EPOCH + timedelta(seconds=self.nanoseconds // SECOND)
        try:
            return moment.astimezone(self.zone)
        except OverflowError:  # the zero time west of Greenwich
            return moment

    def text(self) -> str:
        """Return the time as Go prints it."""
        return self.format("2006-01-02 15:04:05.999999999 -0700 MST")

    def json_text(self) -> str:
        """Return the text that JSON has for the time."""
        return self.format("2006-01-02T15:04:05.999999999Z07:00")

    def inside(self, zone: tzinfo) -> Time:
        """Return the same moment in another zone."""
        return Time(self.nanoseconds, zone)

    def add(self, nanoseconds: int) -> Time:
        """Return a moment that is later."""
        return Time(self.nanoseconds + nanoseconds, self.zone)

    def format(self, layout: str) -> str:
        """Return the time in a layout, which shows how Go's reference time would be written."""
        calendar = self.calendar()
        fraction = self.nanoseconds % SECOND
        return _CHUNK.sub(lambda found: _shown(found[0], calendar, fraction), layout)

    def methods(self) -> Mapping[str, Callable[..., Any]]:
        """Return what templates may call on a time."""
        calendar = self.calendar()
        return {
            "Format": self.format,
            "String": self.text,
            "Unix": lambda: Int64(self.nanoseconds // SECOND),
            "UnixNano": lambda: Int64(self.nanoseconds),
            "Year": lambda: calendar.year,
            "Day": lambda: calendar.day,
            "Hour": lambda: calendar.hour,
            "Minute": lambda: calendar.minute,
            "Second": lambda: calendar.second,
            "YearDay": lambda: calendar.timetuple().tm_yday,
            "Month": lambda: _Month(_MONTHS[calendar.month - 1]),
            "Weekday": lambda: _Weekday(_DAYS[calendar.weekday()]),
            "IsZero": lambda: self.nanoseconds == _ZERO_SECONDS * SECOND,
            "UTC": lambda: self.inside(UTC),
        }


@dataclass(frozen=True)
class _Name(Struct):
    """A month or weekday: it prints as its name."""

    name: str

    kind = "int"

    def text(self) -> str:
        """Return the name."""
        return self.name


class _Month(_Name):
    go_type = "time.Month"


class _Weekday(_Name):
    go_type = "time.Weekday"


def _shown(chunk: str, calendar: datetime, fraction: int) -> str:
    if chunk[0] in ".,":
        return _fraction(chunk, fraction)
    if chunk[0] in "-Z":
        return _offset(chunk, calendar)
    hour12 = calendar.hour % 12 or 12
    year_day = calendar.timetuple().tm_yday
    half = "PM" if calendar.hour >= 12 else "AM"  # noqa: PLR2004 - noon
    shown = {
        "2006": f"{calendar.year:04}", "06": f"{calendar.year % 100:02}", "_": "_",
        "January": _MONTHS[calendar.month - 1], "Jan": _MONTHS[calendar.month - 1][:3],
        "1": f"{calendar.month}", "01": f"{calendar.month:02}",
        "Monday": _DAYS[calendar.weekday()], "Mon": _DAYS[calendar.weekday()][:3],
        "2": f"{calendar.day}", "_2": f"{calendar.day:2}", "02": f"{calendar.day:02}",
        "__2": f"{year_day:3}", "002": f"{year_day:03}",
        "15": f"{calendar.hour:02}", "3": f"{hour12}", "03": f"{hour12:02}",
        "4": f"{calendar.minute}", "04": f"{calendar.minute:02}",
        "5": f"{calendar.second}", "05": f"{calendar.second:02}",
        "PM": half, "pm": half.lower(), "MST": _zone_name(calendar),
    }  # fmt: skip
    return shown[chunk]


def _fraction(chunk: str, fraction: int) -> str:
    digits = f"{fraction:09}"[: len(chunk) - 1]
    if chunk[1] == "9":
        digits = digits.rstrip("0")
        return chunk[0] + digits if digits else ""
    return chunk[0] + digits


def _seconds_east(calendar: datetime) -> int:
    offset = calendar.utcoffset()
    return int(offset.total_seconds()) if offset else 0


def _zone_name(calendar: datetime) -> str:
    return calendar.tzname() or _offset("-0700", calendar)


def _offset(chunk: str, calendar: datetime) -> str:
    east = _seconds_east(calendar)
    if not east and chunk[0] == "Z":
        return "Z"
    hours, rest = divmod(abs(east), 3600)
    parts = [f"{hours:02}"]
    if len(chunk) > 3:  # noqa: PLR2004 - "-07" has no minutes
        parts.append(f"{rest // 60:02}")
    if len(chunk) > 6:  # noqa: PLR2004 - "-07:00" has no seconds
        parts.append(f"{rest % 60:02}")
    return ("-" if east < 0 else "+") + (":" if ":" in chunk else "").join(parts)


_PATTERNS = {
    "2006": r"\d{4}", "06": r"\d{2}", "01": r"\d{2}", "02": r"\d{2}", "03": r"\d{2}", "04": r"\d{2}", "05": r"\d{2}",
    "1": r"\d{1,2}", "2": r"\d{1,2}", "_2": r" ?\d{1,2}", "3": r"\d{1,2}", "4": r"\d{1,2}", "5": r"\d{1,2}",
    "15": r"\d{1,2}", "002": r"\d{3}", "__2": r" {0,2}\d{1,3}", "PM": "AM|PM", "pm": "am|pm", "_": "_",
    "January": "(?i:" + "|".join(_MONTHS) + ")", "Jan": "(?i:" + "|".join(name[:3] for name in _MONTHS) + ")",
    "Monday": "(?i:" + "|".join(_DAYS) + ")", "Mon": "(?i:" + "|".join(name[:3] for name in _DAYS) + ")",
    "MST": r"UTC|GMT[+-]\d{1,2}|[A-Z]{3,4}|[+-]\d{2}",
}  # fmt: skip
_UNITS = {"2006": "year", "06": "year", "01": "month", "1": "month", "January": "month", "Jan": "month", "02": "day",
          "2": "day", "_2": "day", "15": "hour", "03": "hour", "3": "hour", "04": "minute", "4": "minute",
          "05": "second", "5": "second", "002": "yearday", "__2": "yearday"}  # fmt: skip
_RANGES = {"month": range(1, 13), "hour": range(24), "minute": range(60), "second": range(60)}
_HALF_DAY = range(13)  # the hours of a 12-hour clock
_SECONDS_FRACTION = re.compile(r"[.,]\d+")


def parse_time(layout: str, value: str, zone: tzinfo) -> Time:
    """Parse a time; without an offset of its own it is in `zone`.

    Raises:
        ValueError: with Go's text.
    """
    return _TimeParser(layout, value, zone).run()


class _TimeParser:
    def __init__(self, layout: str, value: str, zone: tzinfo) -> None:
        self.layout = layout
        self.value = value
        self.rest = value
        self.zone = zone
        self.parts: dict[str, int] = {}
        self.fraction = 0
        self.half = ""

    def run(self) -> Time:
        position = 0
        for found in _CHUNK.finditer(self.layout):
            self._literal(self.layout[position : found.start()])
            self._chunk(found[0], self.layout[found.end() :])
            position = found.end()
        self._literal(self.layout[position:])
        if self.rest:
            raise ValueError(f"parsing time {_quoted(self.value)}: extra text: {_quoted(self.rest)}")
        return self._time()

    def _bad(self, element: str, rest: str) -> ValueError:
        asked = f"parsing time {_quoted(self.value)} as {_quoted(self.layout)}"
        return ValueError(f"{asked}: cannot parse {_quoted(rest)} as {_quoted(element)}")

    def _out_of_range(self, unit: str) -> ValueError:
        return ValueError(f"parsing time {_quoted(self.value)}: {unit} out of range")

    def _literal(self, text: str) -> None:
        for char in text:
            if char == " " and self.rest[:1] in ("", " "):
                self.rest = self.rest.lstrip(" ")
            elif self.rest.startswith(char):
                self.rest = self.rest[1:]
            else:
                raise self._bad(text, self.rest)

    def _take(self, pattern: str, chunk: str) -> str:
        found = re.match(pattern, self.rest, re.ASCII)
        if found is None:
            raise self._bad(chunk, self.rest)
        self.rest = self.rest[found.end() :]
        return found[0]

    def _chunk(self, chunk: str, following: str) -> None:
        if chunk[0] in ".,":
            self._take_fraction(chunk)
        elif chunk[0] in "-Z":
            self._take_offset(chunk)
        elif chunk == "MST":
            self._take_zone_name(chunk)
        elif chunk in ("PM", "pm"):
            self.half = self._take(_PATTERNS[chunk], chunk).upper()
        else:
            self._take_number(chunk, following)

    def _take_number(self, chunk: str, following: str) -> None:
        text = self._take(_PATTERNS[chunk], chunk)
        unit = _UNITS.get(chunk)
        if unit is None:
            return
        if chunk in ("January", "Jan"):
            number = [name[: len(text)].lower() for name in _MONTHS].index(text.lower()) + 1
        else:
            number = int(text)
        if chunk == "06":
            number += 1900 if number >= 69 else 2000  # noqa: PLR2004 - Go's pivot
        allowed = _HALF_DAY if chunk in ("03", "3") else _RANGES.get(unit)
        if allowed is not None and number not in allowed:
            raise self._out_of_range(unit)
        self.parts[unit] = number
        if unit == "second" and not re.match(r"[.,](0+|9+)", following):
            self._take_optional_fraction()

    def _take_optional_fraction(self) -> None:
        found = _SECONDS_FRACTION.match(self.rest)
        if found:
            self.fraction = int(found[0][1:10].ljust(9, "0"))
            self.rest = self.rest[found.end() :]

    def _take_fraction(self, chunk: str) -> None:
        if chunk[1] == "9":
            self._take_optional_fraction()
            return
        text = self._take(rf"[.,]\d{{{len(chunk) - 1}}}", chunk)
        self.fraction = int(text[1:10].ljust(9, "0"))

    def _take_offset(self, chunk: str) -> None:
        if chunk[0] == "Z" and self.rest.startswith("Z"):
            self.rest, self.zone = self.rest[1:], UTC
            return
        colon = ":" if ":" in chunk else ""
        count = len(re.sub("[^0-9]", "", chunk)) // 2
        text = self._take(rf"[+-]\d\d(?:{colon}\d\d){{{count - 1}}}", chunk)
        digits = re.findall(r"\d\d", text)
        seconds = sum(int(part) * weight for part, weight in zip(digits, (3600, 60, 1), strict=False))
        east = -seconds if text[0] == "-" else seconds
        self.zone = timezone(timedelta(seconds=east), "") if east else timezone(timedelta(0), "")

    def _take_zone_name(self, chunk: str) -> None:
        name = self._take(_PATTERNS["MST"], chunk)
        hours = int(name[3:]) if name.startswith("GMT") and len(name) > 3 else 0  # noqa: PLR2004 - GMT+1
        self.zone = UTC if name == "UTC" else timezone(timedelta(hours=hours), name)

    def _by_day_of_year(self, start: datetime) -> datetime:
        found = start.replace(month=1, day=1) + timedelta(days=self.parts["yearday"] - 1)
        if found.year != start.year:
            raise self._out_of_range("day-of-year")
        for unit in ("month", "day"):
            if self.parts.get(unit, getattr(found, unit)) != getattr(found, unit):
                raise ValueError(f"parsing time {_quoted(self.value)}: day-of-year does not match {unit}")
        return found

    def _time(self) -> Time:
        parts = self.parts
        hour = parts.get("hour", 0)
        if self.half == "PM" and hour < 12:  # noqa: PLR2004 - noon
            hour += 12
        elif self.half == "AM" and hour == 12:  # noqa: PLR2004
            hour = 0
        try:
            start = datetime(parts.get("year", 0) or 1, parts.get("month", 1), parts.get("day", 1), tzinfo=self.zone)
        except ValueError:
            raise self._out_of_range("day") from None
        if "yearday" in parts:
            start = self._by_day_of_year(start)
        moment = start.replace(hour=hour, minute=parts.get("minute", 0), second=parts.get("second", 0))
        seconds = (moment - _EPOCH) // timedelta(seconds=1)
        return Time(seconds * SECOND + self.fraction, self.zone)


def _quoted(text: str) -> str:
    """Return text as Go's errors about times quote it: bytes that are no ASCII are escaped one by one."""
    chars = (chr(byte) if byte in _PRINTABLE else f"\\x{byte:02x}" for byte in encode(text))
    return '"' + "".join(f"\\{char}" if char in '"\\' else char for char in chars) + '"'


_PRINTABLE = range(0x20, 0x7F)
_NANOSECONDS = {"ns": 1, "us": 1000, "µs": 1000, "μs": 1000, "ms": 10**6, "s": SECOND, "m": 60 * SECOND,
                "h": 3600 * SECOND}  # fmt: skip
_DURATION = re.compile(r"[+-]?(?:0|(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)", re.ASCII)
_DURATION_PART = re.compile(r"(\d*)(?:\.(\d*))?(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_UNIT = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))*(?:\d+\.?\d*|\.\d+)([^\d.]*)", re.ASCII)


def parse_duration(text: str) -> int:
    """Return the nanoseconds of a duration such as "1h30m".

    Raises:
        ValueError: with Go's text.
    """
    if not _DURATION.fullmatch(text):
        raise ValueError(_duration_complaint(text))
    total = 0
    for whole, fraction, unit in _DURATION_PART.findall(text):
        scale = _NANOSECONDS[unit]
        total += int(whole or 0) * scale
        if fraction:
            total += int(fraction) * scale // 10 ** len(fraction)
    return -total if text.startswith("-") else total


def _duration_complaint(text: str) -> str:
    found = _UNIT.fullmatch(text)
    if found is None:
        return f"time: invalid duration {_quoted(text)}"
    if not found[1]:
        return f"time: missing unit in duration {_quoted(text)}"
    return f"time: unknown unit {_quoted(found[1])} in duration {_quoted(text)}"


def format_duration(nanoseconds: int) -> str:
    """Return a duration as Go prints it: "1h30m0s", "1.5s", "300ms"."""
    if not nanoseconds:
        return "0s"
    sign, rest = ("-" if nanoseconds < 0 else ""), abs(nanoseconds)
    if rest < SECOND:
        unit, scale = next((unit, scale) for unit, scale in (("ms", 10**6), ("µs", 1000), ("ns", 1)) if rest >= scale)
        return f"{sign}{_decimal(rest, scale)}{unit}"
    minutes, rest = divmod(rest, 60 * SECOND)
    hours, minutes = divmod(minutes, 60)
    shown = f"{_decimal(rest, SECOND)}s"
    if hours:
        shown = f"{hours}h{minutes}m{shown}"
    elif minutes:
        shown = f"{minutes}m{shown}"
    return sign + shown


def _decimal(value: int, scale: int) -> str:
    whole, fraction = divmod(value, scale)
    digits = str(fraction).rjust(len(str(scale)) - 1, "0").rstrip("0") if scale > 1 else ""
    return f"{whole}.{digits}" if digits else str(whole)
