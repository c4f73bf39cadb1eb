"""/v2/apps/<app>/builds/: the images of an app without a controller, in the controller's dialect."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from flask import Response, jsonify

from helmbroker.controller_bridge.api.bodies import json_object, page, window
from helmbroker.controller_bridge.api.context import api, manager, user
from helmbroker.controller_bridge.api.errors import Invalid
from helmbroker.controller_bridge.api.releases import part_id
from helmbroker.controller_bridge.apps.port import AppRelease
from helmbroker.controller_bridge.service import Conflicting
from helmbroker.durable import JSON

_WEB = "web"  # the process type whose image stands for the build


def list_builds(app: str) -> Response:
    """One page, newest first: the releases that brought other images than the one before."""
    limit, offset = window()
    releases = manager().releases(app)
    found = [new for new, old in pairwise(releases) if new.images != old.images] + releases[-1:]
    shown = [_build_object(app, release) for release in found[offset : offset + limit]]
    return page(shown, len(found), limit, offset)


def create_build(app: str) -> Response:
    """`{"image": ".."}` for every process type, or `{"images": {"web": ".."}}`: makes the next release; 201."""
    apps, author, body = manager(), user(), json_object()
    images = _images(body, apps.config(app).process_types)
    summary = f"{author} deployed {', '.join(sorted(set(images.values())))}"
    made = api().service.releasing.begin(
        apps, app, author, lambda key: apps.deploy(app, images, author=author, summary=summary, key=key)
    )
    if made is None:
        raise Conflicting(f"{app} changed nothing - release stopped")
    release = next(one for one in apps.releases(app) if one.version == made)
    response = jsonify(_build_object(app, release))
    response.status_code = 201
    return response


def _images(body: Mapping[str, JSON], process_types: tuple[str, ...]) -> dict[str, str]:
    """Process type -> image. Raises Invalid."""
    for name in ("procfile", "dryccfile"):
        if body.get(name):
            raise Invalid({name: ["Process types and their commands are those of the workloads in the namespace."]})
    image, images = body.get("image"), body.get("images")
    if images is None and isinstance(image, str) and image:
        return dict.fromkeys(process_types, image)
    if image is not None or not isinstance(images, Mapping) or not images:
        raise Invalid({"image": ["Either image, a text, or images, an object by process type, is required."]})
    found = {process_type: one for process_type, one in images.items() if isinstance(one, str)}
    if len(found) != len(images):
        raise Invalid({"images": ["Not a valid string."]})
    return found


def _build_object(app: str, release: AppRelease) -> dict[str, JSON]:
    images: dict[str, JSON] = dict(release.images)
    return {
        "uuid": part_id(app, release.version, "build"),
        "app": app,
        "owner": release.author,
        "image": images.get(_WEB) or next(iter(images.values()), ""),
        "images": images,
        "stack": "container",
        "sha": "",
        "procfile": {},
        "dryccfile": {},
        "created": release.created,
        "updated": release.created,
    }
