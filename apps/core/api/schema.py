"""The OpenAPI 3.1 schema: every version's routes in one document, every error described."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Literal

import yaml
from django.http import HttpRequest, HttpResponse
from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.settings import api_settings

from apps.core.api.components import (
    HEADERS,
    IDEMPOTENCY_KEY,
    NO_NUL,
    headers,
    problem_answer,
    problem_answers,
)
from apps.core.http.problems import only_safe
from apps.core.http.renderers import json_answer


@extend_schema_serializer(component_name="FieldProblem")
class FieldProblemSchema(serializers.Serializer[Any]):
    """One thing wrong with the body: a JSON pointer to it, a stable code and words."""

    pointer = serializers.CharField()
    code = serializers.CharField()
    detail = serializers.CharField()


class ProblemDocument(serializers.Serializer[Any]):
    """An error (RFC 9457). `code` is stable; `request_id` leads to it in the log."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    instance = serializers.CharField()
    code = serializers.CharField()
    request_id = serializers.CharField()
    errors = FieldProblemSchema(many=True, required=False)  # type: ignore[assignment] # the name is RFC 9457's own example


ALWAYS = (429, 500, 503)
# what a client may ask for; JSON if it does not say
JSON_TYPES = ("application/json", "application/vnd.oai.openapi+json", "application/vnd.aai.asyncapi+json")
YAML_TYPES = (
    "application/yaml",
    "application/vnd.oai.openapi",
    "application/vnd.aai.asyncapi+yaml",
    "application/x-yaml",
    "text/yaml",
)


class TextExtension(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call] # the library's, untyped
    """What every `Text` of a body says of itself: PostgreSQL keeps no NUL."""

    target_class = "apps.core.api.fields.Text"
    match_subclasses = True

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> Any:
        """The field's schema."""
        found: Any = auto_schema._map_serializer_field(self.target, direction, bypass_extensions=True)  # type: ignore[no-untyped-call]
        return {"pattern": NO_NUL, **found}


class ProblemSchema(AutoSchema):
    """Adds the problems a view can answer with; a view lists those beyond the usual in `problems`."""

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        operation: Any = super().get_operation(*args, **kwargs)
        operation["operationId"] = f"{self._version()}_{operation['operationId']}"
        return operation

    def get_override_parameters(self) -> list[Any]:
        parameters = list(super().get_override_parameters())
        if self._runs_once():
            parameters.append(IDEMPOTENCY_KEY)
        return parameters

    def get_auth(self) -> list[dict[str, Any]]:
        if not self.view.authentication_classes:
            return []
        return [{"bearer": []}, {}] if AllowAny in self.view.permission_classes else [{"bearer": []}]

    def _map_serializer(self, serializer: Any, direction: Any, bypass_extensions: bool = False) -> Any:
        schema: Any = super()._map_serializer(serializer, direction, bypass_extensions)  # type: ignore[no-untyped-call]
        # other members of a body are refused: a client's types must not accept a misspelt name
        return schema | {"additionalProperties": False} if direction == "request" else schema

    def _insert_field_validators(self, field: Any, schema: Any) -> None:
        super()._insert_field_validators(field, schema)  # type: ignore[no-untyped-call]
        given, *empty = schema.get("oneOf", [{}])
        if empty and re.search(given.get("pattern", "."), ""):
            # the library adds the empty text even if the pattern accepts it, and what fits both fails `oneOf`
            schema.pop("oneOf")
            schema.update(given)

    def get_tags(self) -> list[str]:
        return [self._version()]

    def get_response_serializers(self) -> Any:
        answers = getattr(self.view, "answers", {}).get(self.method.lower())
        return answers(self._version()) if answers else super().get_response_serializers()

    def _get_request_body(self, *args: Any, **kwargs: Any) -> Any:
        method = self.method
        # the library gives a DELETE no body (RFC 9110, section 9.3.5, lets a service agree on one with its clients)
        self.method = "POST" if self._deletes_by_body() else method
        try:
            body: Any = super()._get_request_body(*args, **kwargs)  # type: ignore[no-untyped-call]
        finally:
            self.method = method
        return body and body | {"required": getattr(self.view, "needs_body", True)}

    def _get_response_bodies(self, direction: Literal["request", "response"] = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction=direction)
        self.resolve_serializer(ProblemDocument, direction)
        sends = [*getattr(self.view, "sends", {}).get(self.method.lower(), ())]
        if self._runs_once():
            sends.append("Idempotency-Replayed")
        if 304 in self._problems():
            bodies["304"] = {"description": "Not modified: it is what If-None-Match names."}
        for body in bodies.values():
            body["headers"] = headers(*sends)
            body["description"] = body["description"] or "Done."
        for status in sorted({*ALWAYS, *self._problems()} - {304}):
            bodies.setdefault(str(status), problem_answer(status))
        return bodies

    def _runs_once(self) -> bool:
        return self.method == "POST" and getattr(getattr(self.view, "post", None), "runs_once", False)

    def _deletes_by_body(self) -> bool:
        return self.method == "DELETE" and getattr(self.view, "deletes_by_body", False)

    def _version(self) -> str:
        return self.path.split("/")[2]

    def _problems(self) -> set[int]:
        found = set(getattr(self.view, "problems", {}).get(self.method.lower(), ()))
        if self.view.permission_classes and self.view.authentication_classes:
            found.add(401)
        if self.method in ("POST", "PUT", "PATCH") or self._deletes_by_body():
            found |= {400, 411, 413, 415}
        if self._runs_once():
            found |= {409, 422}
        if "{" in self.path:
            found.add(404)
        return found


class EveryVersion(SchemaGenerator):
    """Puts all versions into one document; the routes without one are the same under the X-API-Version header."""

    def parse(self, input_request: Any, public: bool) -> dict[str, Any]:
        paths: dict[str, Any] = {}
        for version in api_settings.ALLOWED_VERSIONS or ():
            self.api_version = version
            paths |= super().parse(input_request, public)  # type: ignore[no-untyped-call]
        self.api_version = None
        return paths

    def _get_paths_and_endpoints(self) -> list[Any]:
        endpoints = super()._get_paths_and_endpoints()  # type: ignore[no-untyped-call]
        return [endpoint for endpoint in endpoints if endpoint[0].startswith(f"/api/{self.api_version}/")]

    def create_view(self, callback: Any, method: str, request: Any = None) -> Any:
        handler = getattr(callback.cls, method.lower())
        told = "schema" in getattr(handler, "kwargs", {})
        if not told and (operation := getattr(handler, "documented", None)):
            extend_schema(**operation)(handler)
        return super().create_view(callback, method, request)  # type: ignore[no-untyped-call]


def describe_every_answer(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Postprocessing: the shared components, and what the document's own settings say."""
    components = result.setdefault("components", {})
    components["headers"], components["responses"] = HEADERS, problem_answers()
    return result


@lru_cache(maxsize=1)
def document() -> dict[str, Any]:
    """The schema; made once per process."""
    schema: dict[str, Any] = EveryVersion().get_schema(public=True)  # type: ignore[no-untyped-call]
    return schema


class Spelt(yaml.SafeDumper):
    """Writes out what stands in a document twice, without YAML's anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def as_yaml(described: dict[str, Any]) -> str:
    """A document as YAML, its members in their own order."""
    text: str = yaml.dump(described, Dumper=Spelt, sort_keys=False, allow_unicode=True)
    return text


def answer_with(described: dict[str, Any], request: HttpRequest) -> HttpResponse:
    """A document as JSON, or as YAML if `Accept` or `?format=` asks for it."""
    asked = request.GET.get("format", "")
    preferred = request.get_preferred_type([*JSON_TYPES, *YAML_TYPES])
    if asked == "yaml" or (asked != "json" and preferred in YAML_TYPES):
        text = as_yaml(described)
        return HttpResponse(text, content_type="application/yaml; charset=utf-8", headers={"Vary": "Accept"})
    return json_answer(described, headers={"Vary": "Accept"})


@only_safe
def schema_view(request: HttpRequest) -> HttpResponse:
    """The OpenAPI schema."""
    return answer_with(document(), request)
