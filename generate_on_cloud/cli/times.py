"""Times for people: in the time zone of this machine, with the zone said once."""

from datetime import datetime


def zone() -> str:
    """The abbreviation of this machine's time zone, such as `CET` or `UTC`."""
    return datetime.now().astimezone().tzname() or "local"


def local(time: datetime | None) -> str:
    """`2026-11-30 12:03:05`, in this machine's zone; empty for None."""
    return "" if time is None else time.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def short(time: datetime | None) -> str:
    """`30 Nov 12:03`, in this machine's zone; empty for None."""
    return "" if time is None else time.astimezone().strftime("%d %b %H:%M")


def told(time: datetime | None) -> str:
    """`2026-11-30 12:03:05 CET`; empty for None."""
    return "" if time is None else f"{local(time)} {time.astimezone().tzname()}"


def seconds(value: float | None) -> str:
    """`3.2`, `250`, `12:05` or `1:02:05`; empty for None."""
    if value is None:
        return ""
    if value < 600:
        return f"{value:.1f}" if value < 100 else f"{value:.0f}"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def read_time(text: str) -> str:
    """An ISO time with a zone for the API; a time without one is this machine's, a date alone its first second.

    Raises:
        ValueError: it is no ISO 8601 date or time.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"received {text!r}; allowed: 2026-11-30, 2026-11-30T12:00 or 2026-11-30T12:00+01:00"
        ) from None
    return time.astimezone().isoformat()
