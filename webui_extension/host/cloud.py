"""The one connection of this WebUI: lists, jobs and followers, made when first used and again for another login."""

from __future__ import annotations

import threading

from webui_extension.core.catalog import Catalog
from webui_extension.core.connection import Connection
from webui_extension.core.followers import Followers, Save
from webui_extension.core.jobs import Jobs
from webui_extension.core.login import find_login


class Cloud:
    """What the panels of both tabs share."""

    def __init__(self, save: Save) -> None:
        self.followers = Followers(self.connection, save)
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._catalog: Catalog | None = None

    def connection(self) -> Connection:
        """
        Raises:
            PanelError: nobody has entered URL and key yet.
        """
        login = find_login()
        with self._lock:
            if self._connection is None or self._connection.login != login:
                self._connection, self._catalog = Connection(login), None
            return self._connection

    def catalog(self) -> Catalog:
        connection = self.connection()
        with self._lock:
            if self._catalog is None:
                self._catalog = Catalog(connection)
            return self._catalog

    def jobs(self) -> Jobs:
        return Jobs(self.connection())
