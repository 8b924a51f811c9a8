"""One view under two versions, chosen by path or by header; an unknown header is 400."""

import django
from django.conf import settings

settings.configure(
    ROOT_URLCONF="__main__",
    ALLOWED_HOSTS=["testserver"],
    INSTALLED_APPS=["rest_framework"],
    MIDDLEWARE=["apps.core.http.versioning.VersionMiddleware"],
    REST_FRAMEWORK={
        "DEFAULT_VERSIONING_CLASS": "apps.core.http.versioning.NamespaceOrHeaderVersioning",
        "DEFAULT_VERSION": "v1",
        "ALLOWED_VERSIONS": ["v1", "v2"],
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "DEFAULT_PERMISSION_CLASSES": [],
        "UNAUTHENTICATED_USER": None,
    },
)
django.setup()

from django.test import Client
from django.urls import include, path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


class Hello(APIView):
    """Says which version it answers in."""

    def get(self, request: Request) -> Response:
        return Response({"version": request.version})


routes = [path("hello", Hello.as_view())]
urlpatterns = [
    *(path(f"api/{version}/", include((routes, "api"), namespace=version)) for version in ("v1", "v2")),
    path("api/", include((routes, "api"), namespace="unversioned")),
]

client = Client()
assert client.get("/api/v2/hello").json() == {"version": "v2"}
assert client.get("/api/hello").headers["X-API-Version"] == "v1"
assert client.get("/api/hello", headers={"X-API-Version": "v2"}).json() == {"version": "v2"}
assert client.get("/api/hello", headers={"X-API-Version": "v3"}).status_code == 400
print("used")
