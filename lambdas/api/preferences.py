"""Routes for the caller's preferences, which front ends share."""

from typing import Final

from generate_on_cloud.contract.errors import FieldError, ProblemCode
from generate_on_cloud.contract.preferences import MAX_PREFERENCES, PreferencesView, PutPreferences
from lambdas.access.preferences import Preferences
from lambdas.api.routes import Reply, Routes, UserCall
from lambdas.problems import ProblemError, invalid

ROUTES = Routes()

NOT_MODIFIED: Final = 304


@ROUTES.add("GET", "/v1/me/preferences", also=(NOT_MODIFIED,))
def get_preferences(call: UserCall) -> Reply[PreferencesView]:
    """Get the caller's preferences, a JSON object that front ends share; empty at first."""
    found = call.services.preferences.get(call.caller.user)
    if _tag(found) in _named(call, "if-none-match"):
        return Reply(None, NOT_MODIFIED, {"ETag": _tag(found)})
    return _reply(found)


@ROUTES.add("PUT", "/v1/me/preferences", problems=(ProblemCode.CHANGED_MEANWHILE,))
def put_preferences(call: UserCall, body: PutPreferences) -> Reply[PreferencesView]:
    """Replace the caller's preferences; with `If-Match`, only while they are the ones with this `ETag`."""
    try:
        wanted = Preferences.of(body.preferences)
    except ValueError as error:
        raise invalid([FieldError(pointer="/preferences", message="received a number that is not finite")]) from error
    if wanted.size > MAX_PREFERENCES:
        message = f"received {wanted.size} bytes; allowed: up to {MAX_PREFERENCES}"
        raise invalid([FieldError(pointer="/preferences", message=message)])
    expected = _named(call, "if-match")
    if len(expected) > 1:
        message = f"received {len(expected)} tags; allowed: one, or none"
        raise invalid([FieldError(pointer="header:If-Match", message=message)])
    seen = expected[0].removeprefix("W/").strip('"') if expected and expected != ["*"] else None
    if not call.services.preferences.put(call.caller.user, wanted, seen=seen):
        detail = "The preferences were changed meanwhile; get them again, and put your change into what you get."
        raise ProblemError(ProblemCode.CHANGED_MEANWHILE, detail)
    call.log_change("preferences.changed", call.caller.user, {"bytes": wanted.size})
    return _reply(wanted)


def _reply(preferences: Preferences) -> Reply[PreferencesView]:
    return Reply(
        PreferencesView(preferences=preferences.document, tag=_tag(preferences)), headers={"ETag": _tag(preferences)}
    )


def _tag(preferences: Preferences) -> str:
    return f'"{preferences.tag}"'


def _named(call: UserCall, header: str) -> list[str]:
    """The tags that a header lists."""
    return [tag.strip() for tag in call.headers.get(header, "").split(",") if tag.strip()]
