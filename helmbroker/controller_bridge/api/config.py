"""/v2/apps/<app>/config/: the config of an app without a controller, in the controller's dialect."""

from __future__ import annotations

from flask import Response, jsonify, request

from helmbroker.controller_bridge.api.bodies import json_object
from helmbroker.controller_bridge.api.context import api, manager, user
from helmbroker.controller_bridge.api.edits import Edit, shown
from helmbroker.controller_bridge.api.releases import part_id, version_of
from helmbroker.controller_bridge.apps.manager import AppConfig
from helmbroker.controller_bridge.service import Conflicting
from helmbroker.durable import JSON


def get_config(app: str) -> Response:
    """Of the newest release that has not failed, or of `?version=`. With values: viewers may see them."""
    asked = request.args.get("version")
    return jsonify(_config_object(app, manager().config(app, None if asked is None else version_of(asked))))


def change_config(app: str) -> Response:
    """`{"values": [..], "values_refs": {..}}`: makes the next release, and answers 201 with its config."""
    merge = request.args.get("merge", "true").lower() != "false"
    return _changed(app, Edit.read(json_object(), merge=merge), "changed", 201)


def detach_groups(app: str) -> Response:
    """`{"values_refs": {..}}`: takes groups away from process types, and answers 200 with the config."""
    body = json_object()
    return _changed(app, Edit.read({"values_refs": body.get("values_refs")}, detach=True), "detached", 200)


def _changed(app: str, edit: Edit, verb: str, status: int) -> Response:
    apps, author = manager(), user()
    names = sorted({group for group, _, _ in edit.values} | {group for _, groups in edit.refs for group in groups})
    summary = f"{author} {verb} config {', '.join(names)}".rstrip()
    made = api().service.releasing.begin(
        apps, app, author, lambda key: apps.edit_config(app, edit.change, author=author, summary=summary, key=key)
    )
    if made is None:
        raise Conflicting(f"{app} changed nothing - release stopped")
    response = jsonify(_config_object(app, apps.config(app, made)))
    response.status_code = status
    return response


def _config_object(app: str, config: AppConfig) -> dict[str, JSON]:
    nothing = ("limits", "lifecycle", "tags", "registry", "healthcheck", "termination_grace_period")
    return {
        "uuid": part_id(app, config.version, "config"),
        "app": app,
        "version": config.version,
        **shown(config),
        **{name: {} for name in nothing},
        "created": config.created,
        "updated": config.created,
    }
