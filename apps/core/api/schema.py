"""The OpenAPI 3.1 schema: every version's routes in one document, every error described."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

import yaml
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.settings import api_settings

from apps.core.api.problems import CONTENT_TYPE, only_safe
from apps.core.api.renderers import json_answer


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
REASONS = {
    304: "Not modified: the representation is the one that If-None-Match names.",
    400: "The request is malformed or a value is refused; `errors` says where.",
    401: "No valid token.",
    403: "The caller may not do this.",
    404: "No such thing, or not for this caller.",
    405: "The method is not one of those in `Allow`.",
    409: "It clashes with what is there.",
    422: "The Idempotency-Key was used for another request.",
    412: "It was changed since it was read.",
    413: "The body is too large.",
    415: "The body is not of a type that this route takes.",
    429: "Too many requests; `Retry-After` says when to come again.",
    500: "An error of this service.",
    503: "A part that is needed does not answer; `Retry-After` says when to come again.",
}


IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key", str, OpenApiParameter.HEADER, description="A repeat within 24 hours gets the first answer again."
)


class ProblemSchema(AutoSchema):
    """Adds the problems a view can answer with; a view lists those beyond the usual in `problems`."""

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        operation: Any = super().get_operation(*args, **kwargs)
        operation["operationId"] = f"{self._version()}_{operation['operationId']}"
        return operation

    def get_override_parameters(self) -> list[Any]:
        parameters = list(super().get_override_parameters())
        if self.method == "POST" and getattr(self.view, "idempotent", False):
            parameters.append(IDEMPOTENCY_KEY)
        return parameters

    def get_auth(self) -> list[dict[str, Any]]:
        if not self.view.authentication_classes:
            return []
        return [{"bearer": []}, {}] if AllowAny in self.view.permission_classes else [{"bearer": []}]

    def get_tags(self) -> list[str]:
        return [self._version()]

    def get_response_serializers(self) -> Any:
        answers = getattr(self.view, "answers", {}).get(self.method.lower())
        return answers(self._version()) if answers else super().get_response_serializers()

    def _get_response_bodies(self, direction: Literal["request", "response"] = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction=direction)
        for status in sorted({*ALWAYS, *self._problems()}):
            if status == 304:
                bodies.setdefault("304", {"description": REASONS[304]})
                continue
            component = self.resolve_serializer(ProblemDocument, direction)
            content = {CONTENT_TYPE: {"schema": component.ref}}
            bodies.setdefault(str(status), {"description": REASONS[status], "content": content})
        return bodies

    def _version(self) -> str:
        return self.path.split("/")[2]

    def _problems(self) -> set[int]:
        found = set(getattr(self.view, "problems", {}).get(self.method.lower(), ()))
        if self.view.permission_classes and self.view.authentication_classes:
            found.add(401)
        if self.method in ("POST", "PUT", "PATCH"):
            found |= {400, 413, 415}
        if self.method == "POST" and getattr(self.view, "idempotent", False):
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


def describe_every_answer(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Postprocessing: the headers that every answer carries, and the version of the document's own settings."""
    result["info"]["title"], result["info"]["version"] = settings.ENV.api_title, settings.ENV.api_version
    headers = {
        "X-Request-ID": {"description": "The id of this request in the log.", "schema": {"type": "string"}},
        "X-API-Version": {"description": "The version that answered.", "schema": {"type": "string"}},
        "RateLimit": {"description": "What is left of the limit.", "schema": {"type": "string"}},
        "RateLimit-Policy": {"description": "The limit.", "schema": {"type": "string"}},
    }
    result.setdefault("components", {})["headers"] = headers
    references = {name: {"$ref": f"#/components/headers/{name}"} for name in headers}
    for item in result["paths"].values():
        for operation in item.values():
            for status, response in operation["responses"].items():
                response["headers"] = {**references, **response.get("headers", {}), **_extra(status)}
    return result


def _extra(status: str) -> dict[str, Any]:
    if status in ("429", "503"):
        return {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}
    if status == "401":
        return {"WWW-Authenticate": {"description": "How to authenticate.", "schema": {"type": "string"}}}
    return {}


@lru_cache(maxsize=1)
def document() -> dict[str, Any]:
    """The schema; made once a process."""
    schema: dict[str, Any] = EveryVersion().get_schema(public=True)  # type: ignore[no-untyped-call]
    return schema


@only_safe
def schema_view(request: HttpRequest) -> HttpResponse:
    """The schema as JSON, or as YAML where `Accept` or `?format=` asks for it."""
    asked = request.GET.get("format", "") + request.headers.get("Accept", "")
    if "yaml" in asked or ("vnd.oai.openapi" in asked and "json" not in asked):
        text = yaml.safe_dump(document(), sort_keys=False, allow_unicode=True)
        return HttpResponse(text, content_type="application/yaml; charset=utf-8")
    return json_answer(document())
