"""Every route of the service."""

from importlib import import_module

from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.utils.module_loading import module_has_submodule

from apps.core.backoffice import breakers as breakers_admin
from apps.core.http import mail_preview, problems
from apps.core.http.late import late
from apps.core.telemetry import health
from apps.core.telemetry.view import metrics_view
from apps.tour.urls import urlpatterns as tour
from apps.users.account_pages import urlpatterns as account_pages
from apps.users.admin_login import change_password, log_in
from apps.users.admin_second_factor import second_factor

admin.autodiscover()

api: list[URLPattern | URLResolver] = [
    route
    for app in apps.get_app_configs()
    if module_has_submodule(app.module, "api.urls")
    for route in import_module(f"{app.name}.api.urls").urlpatterns
]

mails = [
    path("dev/mail", mail_preview.mail_list),
    path("dev/mail/<path:template>.eml", mail_preview.mail_file),
    path("dev/mail/<path:template>", mail_preview.mail_page),
]

urlpatterns = [
    # first, for routes are tried in order and most requests are these
    *(path(f"api/{version}/", include((api, "api"), namespace=version)) for version in settings.VERSIONS),
    *tour,
    path("problems/", late("apps.core.http.pages.problem_list")),
    path("problems/<slug:code>", late("apps.core.http.pages.problem_page")),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", metrics_view(settings.ENV.metrics_token, guarded=settings.ENV.profile == "production")),
    path("api/schema", late("apps.core.api.schema.schema_view"), name="schema"),
    path("api/docs", late("apps.core.http.pages.documentation")),
    path("api/asyncapi", late("apps.events.api.described.asyncapi")),
    path("api/docs/events", late("apps.events.api.described.events_page")),
    # the API's routes without a version: X-API-Version decides
    path("api/", include((api, "api"), namespace="unversioned")),
    *account_pages,
    path("admin/breakers/", admin.site.admin_view(breakers_admin.breakers), name="breakers"),
    path("admin/login/", log_in),
    path("admin/second-factor/", second_factor, name="second-factor"),
    path("admin/password_change/", admin.site.admin_view(change_password)),
    path("admin/", admin.site.urls),
    *(mails if settings.ENV.profile == "development" else []),
]

handler400 = problems.bad_request
handler403 = problems.forbidden
handler404 = problems.not_found
handler500 = problems.server_error
