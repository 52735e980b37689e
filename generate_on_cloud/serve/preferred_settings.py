"""A caller's options among the user's preferences in the cloud, for a server that keeps nothing itself."""

from functools import cached_property
from typing import Any

from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.client.errors import ProblemError
from generate_on_cloud.contract.errors import ProblemCode
from generate_on_cloud.contract.preferences import PreferencesView
from generate_on_cloud.faces.sdapi.settings import Settings

NAME = "sdapi"
"""Under which they are among the preferences."""


class PreferredSettings:
    """The options of the one user to whom the service's key belongs; read when they are first asked for."""

    def __init__(self, cloud: GenerateOnCloud) -> None:
        self._cloud = cloud

    @cached_property
    def _seen(self) -> PreferencesView:
        return self._cloud.me.preferences()

    def get(self, _name: str) -> Settings:
        """The user's options.

        Raises:
            CloudError: the cloud refused or cannot be reached.
        """
        return _read(self._seen.preferences)

    def put(self, _name: str, settings: Settings) -> None:
        """Keep the user's options, next to what other front ends keep.

        Raises:
            CloudError: the cloud refused or cannot be reached; the preferences have no room for them.
        """
        if settings == _read(self._seen.preferences):
            return
        try:
            self._keep(settings)
        except ProblemError as error:
            if error.problem.code is not ProblemCode.CHANGED_MEANWHILE:
                raise
            del self._seen
            self._keep(settings)

    def _keep(self, settings: Settings) -> None:
        said = {"chosen": dict(settings.chosen), "last_checkpoint": settings.last_checkpoint}
        seen = self._seen
        self._seen = self._cloud.me.keep_preferences({**seen.preferences, NAME: said}, seen=seen.tag)


def _read(preferences: dict[str, Any]) -> Settings:
    said = preferences.get(NAME)
    said = said if isinstance(said, dict) else {}
    chosen, last = said.get("chosen"), said.get("last_checkpoint")
    return Settings(chosen if isinstance(chosen, dict) else {}, last if isinstance(last, str) else None)
