"""The tab "Generate on Cloud": connection, and model files on their way to the cloud."""

from __future__ import annotations

import threading
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

import gradio as gr

from webui_extension.core.connection import Connection
from webui_extension.core.errors import CloudError, PanelError
from webui_extension.core.followers import GONE
from webui_extension.core.login import Login, find_login, keep_login
from webui_extension.core.texts import say
from webui_extension.core.uploads import Upload, file_line, import_line, local_files
from webui_extension.host.cards import cards
from webui_extension.host.cloud import Cloud
from webui_extension.host.gradio_events import choices, listen, unchanged, unsaved
from webui_extension.host.guard import told
from webui_extension.host.program import EXTENSIONS, model_folders


class AssetsTab:
    """Built once per start; its uploads go on when the page is closed."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._uploads: dict[str, Upload] = {}
        self._imports: dict[str, str] = {}
        """Files that the cloud fetches by URL -> ids."""
        self._messages: dict[str, str] = {}
        self._lock = threading.Lock()

    def build(self) -> None:
        """Create the tab's components in the host's page."""
        with gr.Accordion(say("connection"), open=True):
            url = unsaved(gr.Textbox(label=say("url"), elem_id="goc_url", value=_saved_url()))
            key = unsaved(gr.Textbox(label=say("key"), elem_id="goc_key", type="password", placeholder=say("key_kept")))
            save = gr.Button(say("save_connection"), elem_id="goc_save_connection", variant="primary")
            message = gr.HTML(elem_id="goc_message_connection")
        with gr.Accordion(say("send_models"), open=True):
            kind = unsaved(
                gr.Dropdown(
                    label=say("model_type"), choices=list(EXTENSIONS), value="checkpoint", elem_id="goc_model_type"
                )
            )
            files = unsaved(gr.CheckboxGroup(label=say("local_files"), choices=[], elem_id="goc_local_files"))
            with gr.Row():
                refresh = gr.Button(say("refresh"), elem_id="goc_refresh_models", size="sm")
                upload = gr.Button(say("upload"), elem_id="goc_upload", variant="primary", size="sm")
                stop = gr.Button(say("stop"), elem_id="goc_stop_upload", size="sm")
            address = unsaved(gr.Textbox(label=say("from_url"), elem_id="goc_from_url"))
            name = unsaved(gr.Textbox(label=say("file_name"), elem_id="goc_file_name"))
            fetch = gr.Button(say("import"), elem_id="goc_import", size="sm")
            progress = gr.HTML(elem_id="goc_upload_progress")
            tick = gr.Button("tick", elem_id="goc_tick_models", elem_classes=["goc-hidden"])
        listen(save.click, self._save, inputs=[url, key], outputs=[message, key])
        for event in (refresh.click, kind.change):
            listen(event, self._list, inputs=[kind, files], outputs=[files, progress])
        listen(upload.click, self._upload, inputs=[kind, files], outputs=[progress])
        listen(stop.click, self._stop, outputs=[progress])
        listen(fetch.click, self._import, inputs=[kind, address, name], outputs=[progress])
        listen(tick.click, self._progress, outputs=[progress])

    def _save(self, url: str, key: str) -> list[Any]:
        """Test first: a login that does not work is not kept."""
        try:
            known = "" if key else find_login().api_key
            login = Login((url or "").strip(), (key or "").strip() or known)
            connection = Connection(login)
            me = connection.ask("GET", "/v1/me")
            keep_login(login)
            models = len(self._cloud.catalog().active("checkpoint", fresh=True))
        except Exception as error:
            return [cards([], errors=[told(error)]), unchanged()]
        return [cards([], notes=[say("connected", user=me["user"], role=me["role"], models=models)]), ""]

    def _list(self, kind: str, chosen: list[str]) -> list[Any]:
        """The files as they are now; those that were ticked stay ticked."""
        ticked = {_file_name(line) for line in chosen or []}
        try:
            cloud = self._cloud.catalog().assets(kind, fresh=True)
            lines = [file_line(path, cloud) for path in local_files(model_folders(), kind, EXTENSIONS[kind])]
        except Exception as error:
            return [unchanged(), cards([], errors=[told(error)])]
        return [choices(lines, [line for line in lines if _file_name(line) in ticked]), self._progress()]

    def _upload(self, kind: str, chosen: list[str]) -> str:
        try:
            if not chosen:
                raise PanelError(say("no_files"))
            paths = {path.name: path for path in local_files(model_folders(), kind, EXTENSIONS[kind])}
            connection = self._cloud.connection()
            uploads = [
                Upload(connection, paths[name], kind)
                for name in map(_file_name, chosen)
                if name in paths and name not in self._uploads
            ]
        except Exception as error:
            return cards([], errors=[told(error)])
        with self._lock:
            self._uploads.update({upload.path.name: upload for upload in uploads})
        threading.Thread(target=self._run, args=(uploads,), name="generate-on-cloud uploads", daemon=True).start()
        return self._progress()

    def _run(self, uploads: list[Upload]) -> None:
        """One file after the other: several at once would only share the line."""
        for upload in uploads:
            name = upload.path.name
            try:
                upload.run()
                self._messages[name] = say("uploaded", name=name)
            except Exception as error:
                self._messages[name] = say("upload_failed", name=name, reason=told(error))
            finally:
                with self._lock:
                    self._uploads.pop(name, None)

    def _stop(self) -> str:
        with self._lock:
            for upload in self._uploads.values():
                upload.stop()
        return self._progress()

    def _progress(self) -> str:
        with self._lock:
            going = [
                f"{name}: {say('uploading')} {upload.sent / 1e9:.2f} / {upload.size / 1e9:.2f} GB"
                for name, upload in self._uploads.items()
            ]
        going += self._fetching()
        page = cards([], notes=[*going, *self._messages.values()])
        return page.replace('class="goc-cards"', 'class="goc-cards" data-going="1"') if going else page

    def _import(self, kind: str, address: str, name: str) -> str:
        try:
            url = (address or "").strip()
            file = (name or "").strip() or unquote(PurePosixPath(urlsplit(url).path).name)
            body = {"type": kind, "name": file, "source_url": url}
            asset = self._cloud.connection().ask("POST", "/v1/assets", body=body)
        except Exception as error:
            return cards([], errors=[told(error)])
        self._messages.pop(file, None)
        with self._lock:
            self._imports[file] = str(asset["asset_id"])
        return self._progress()

    def _fetching(self) -> list[str]:
        """A line for each file that the cloud still fetches; one that it has, or cannot get, becomes a message."""
        with self._lock:
            imports = dict(self._imports)
        going = []
        for name, asset_id in imports.items():
            try:
                line, done = import_line(self._cloud.connection().ask("GET", f"/v1/assets/{asset_id}"))
            except Exception as error:
                line, done = f"{name}: {told(error)}", isinstance(error, CloudError) and error.status in GONE
            if not done:
                going.append(line)
                continue
            self._messages[name] = line
            with self._lock:
                self._imports.pop(name, None)
        return going


def _file_name(line: str) -> str:
    """That of `file_line`."""
    return line.rpartition(" · ")[0].rpartition(" · ")[0]


def _saved_url() -> str:
    try:
        return find_login().url
    except PanelError:
        return ""
