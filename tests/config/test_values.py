"""Values of settings: what could only fail later is refused at the start, and the message says how to correct it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from config.env import Settings
from config.notices import say_where_links_lead, say_where_mail_goes

MARKER = "s3cr3t"
Refusal = Callable[..., list[str]]
WAITS = ["+5", "1_0", "5,,9", "5,٣", "99999999999", "5,", "1e3"]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        *[
            (name, value, "percent-encode")
            for name, scheme in (
                ("REDIS_URL", "redis"),
                ("CELERY_BROKER_URL", "amqp"),
                ("CELERY_BROKER_URL", "rediss"),
                ("EXTERNAL_API_URL", "https"),
                ("EMAIL_URL", "smtp+tls"),
                ("DATABASE_URL", "postgres"),
                ("SENTRY_DSN", "https"),
            )
            for value in [f"{scheme}://default:12{sign}{MARKER}@h:6379/0" for sign in "#?/@[%^ "]
        ],
        ("REDIS_URL", "redis://h:0/0", "the port must be"),
        ("REDIS_URL", "redis://h:70000/0", "the port must be"),
        ("REDIS_URL", "redis://h:٣/0", "percent-encode"),
        ("REDIS_URL", "redis://a,b:6379/0", "the host must be"),
        ("REDIS_URL", "redis://h:6379/1/2", "the number of a database"),
        ("REDIS_URL", "redis://h:6379/²", "percent-encode"),
        ("REDIS_URL", "redis://h/0?socket_timeout=30", "socket_timeout is no option: leave it out"),
        ("REDIS_URL", "redis://h/0?ssl_cert_reqs=none", "only rediss:// has it"),
        ("REDIS_URL", "rediss://h/0?ssl_cert_reqs=CERT_NONE", "must be required, optional or none"),
        ("REDIS_URL", "rediss://h/0?ssl_ca_certs=/nowhere.pem", "ssl_ca_certs must name a file"),
        ("REDIS_URL", "unix://", "wants a socket"),
        ("CELERY_BROKER_URL", "amqp://h/v?heartbeat=5", "heartbeat is no option"),
        ("EXTERNAL_API_URL", "https://h/people?key=x", "leave the query"),
        ("EMAIL_URL", "smtp://h:25?use_tls=true", "smtp+tls://"),
        ("EMAIL_URL", "filemail://", "wants a folder"),
        ("EMAIL_URL", f"smtp://{MARKER}@", "names no host"),
        ("EMAIL_FROM", "the backend", "an address"),
        ("METRICS_TOKEN", f"{MARKER} {MARKER}", "without blanks"),
        ("EXTERNAL_API_KEY", "clé", "ASCII"),
        ("METRICS_HOST", "http://h", "must be a name"),
        ("API_TITLE", "The API # of the office", "looks like a comment"),
        ("ALLOWED_HOSTS", "a.example.com # of the office", "looks like a comment"),
        ("CORS_ALLOWED_ORIGINS", "https://a.example.com # of the office", "looks like a comment"),
        ("API_TITLE", "The\x1bAPI", "control character"),
        ("SECRET_KEY", "\udcff" * 40, "is not UTF-8"),
        *[
            ("RETRY_BASE_DELAY", value, "a number above 0")
            for value in ["1e1", "1_0", "+5", "-1", "NaN", "inf", "0x1", "٣", "1,5", "1e999"]
        ],
        *[
            ("DB_POOL_SIZE", value, "a whole number from 1")
            for value in ["1e1", "1_0", "+5", "-1", "0", "5.0", "٣", "9999999999999"]
        ],
        *(("WEBHOOK_RETRY_SCHEDULE", value, "seconds") for value in WAITS),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318", "http"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "one of http/protobuf"),
        ("OTEL_TRACES_SAMPLER", "sometimes", "one of parentbased_always_on"),
        *[("OTEL_TRACES_SAMPLER_ARG", value, "a share from 0 to 1") for value in ["10%", "1.5", "-0.1", "nan"]],
        ("OTEL_TRACES_EXPORTER", "otlp,jaeger", "entry 2: one of otlp, valkey, none"),
        ("API_V1_SUNSET", "20270630", "a day"),
        ("API_V1_SUNSET", "2027-W26-3", "a day"),
        ("METRICS_PORT", "70000", "from 0 to 65535"),
        ("BODY_LIMIT", "64k", "from 1024"),
        ("SECRET_KEY_FALLBACKS", f"{'k' * 40},short", "entry 2: 32 characters or more"),
        ("EMAIL_VERIFICATION", "always", "one of off, optional, required"),
        ("PUBLIC_URL", "api.example.com", "starts with http://"),
        ("PUBLIC_URL", "https://api.example.com/?x", "leave the query"),
        ("PASSWORD_RESET_URL", "https://app.example.com/reset", "{token} in it once"),
        ("PASSWORD_RESET_URL", "https://app.example.com/{token}?t={token}", "{token} in it once"),
        ("PASSWORD_RESET_URL", "https://{token}.example.com/", "{token} belongs behind the host"),
        ("PASSWORD_RESET_URL", "https://app.example.com/{user}/{token}", "percent-encode"),
        ("PASSWORD_RESET_URL", "javascript://app.example.com/{token}", "starts with http://"),
        ("PASSWORD_RESET_URL", "https://u:p@app.example.com/{token}", "leave user and password out"),
        ("PASSWORD_RESET_URL", "https:///reset/{token}", "{token} belongs behind the host"),
    ],
)
def test_it_is_refused_with_a_word_on_how_to_put_it_right(refusal: Refusal, name: str, value: str, said: str) -> None:
    (problem,) = refusal(**{name: value})
    assert problem.startswith(f"{name} is malformed: ")
    assert said in problem
    assert MARKER not in problem


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REDIS_URL", "redis://default:12%23ab%2F%3F%40@h:6379/0"),
        ("REDIS_URL", "redis://:pw:with~all!$&'()*+,;=@my_cache/15"),
        ("REDIS_URL", "redis://[::1]:6379?db=3"),
        ("REDIS_URL", "rediss://h:6380/0?ssl_cert_reqs=none&ssl_check_hostname=false"),
        ("REDIS_URL", "unix://user:pw@/run/valkey.sock?db=2"),
        ("CELERY_BROKER_URL", "amqps://user:pw@rabbit:5671/a%2Fb"),
        ("CELERY_BROKER_URL", "amqp://rabbit//"),
        ("SENTRY_DSN", "https://key@sentry.example.com/path/1"),
        ("EMAIL_URL", "smtp+ssl://ada%40example.com:pw@mail:465"),
        ("EMAIL_URL", "dummymail://"),
        ("EMAIL_URL", "filemail:////var/mail%20box"),
        ("API_TITLE", "Nr. #1"),
        ("API_TITLE", "C# API"),
        ("PUBLIC_URL", "https://example.com:8443/service"),
        ("PASSWORD_RESET_URL", "https://app.example.com/reset?lang=en&token={token}"),
        ("PASSWORD_RESET_URL", "http://[::1]:3000/#/reset/{token}"),
    ],
)
def test_what_works_is_accepted(production: Callable[..., Settings], name: str, value: str) -> None:
    assert getattr(production(**{name: value}), name.lower()) == value


@pytest.mark.parametrize(
    ("hosts", "url", "said"),
    [
        ("api.example.com,other.example.com", "https://api.example.com", []),
        ("*,.example.com", "https://example.com", []),
        ("*", "https://localhost", ["links_lead_nowhere"]),
    ],
)
def test_links_in_mails_lead_to_the_first_of_our_names(
    production: Callable[..., Settings], hosts: str, url: str, said: list[str]
) -> None:
    env = production(ALLOWED_HOSTS=hosts)
    with capture_logs() as lines:
        say_where_links_lead(env)
    assert (env.public_url, [line["event"] for line in lines]) == (url, said)
    assert production(ALLOWED_HOSTS=hosts, PUBLIC_URL="https://me.example.com/").public_url == "https://me.example.com"


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("https://api.example.com", "leave the scheme"),
        ("api.example.com:8000", "leave the port out"),
        ("[::1]:8000", "leave the port out"),
        ("::1", "put brackets around"),
        ("[::g]", "is no IPv6 address"),
        ("a.example.com b.example.com", "commas separate"),
        ("api.example.com/v1", "leave the path out"),
        ("*.example.com", ".example.com"),
        ("api.example.com.", "last dot"),
        ("bücher.example", "xn--"),
        ("my_service", "letters, digits, hyphens"),
        ("a..b", "letters, digits, hyphens"),
    ],
)
def test_a_host_that_no_request_could_match_is_refused_by_its_place(refusal: Refusal, entry: str, said: str) -> None:
    (problem,) = refusal(ALLOWED_HOSTS=f"good.example.com,{entry}")
    assert "entry 2: " in problem
    assert said in problem
    assert entry not in problem.replace("e.g. api.example.com", "").replace(said, "")


def test_hosts_that_requests_match(production: Callable[..., Settings]) -> None:
    hosts = ("api.example.com", ".example.org", "10.0.0.7", "[::1]", "localhost", "*")
    assert production(ALLOWED_HOSTS=" , ".join(hosts) + ",").allowed_hosts == hosts


@pytest.mark.parametrize("name", ["CORS_ALLOWED_ORIGINS", "CSRF_TRUSTED_ORIGINS"])
@pytest.mark.parametrize(
    "entry",
    [
        *("app.example.com", "https://a b", "https://a/path", "https://u@a", "ftp://a", "https://a:0", "https://a:x"),
        *("https://a?x", "https://bücher.example", "https://a_b", "https://", "https://*", "https://a.*.example.com"),
        "null",
    ],
)
def test_an_origin_that_no_browser_sends_is_refused(refusal: Refusal, name: str, entry: str) -> None:
    (problem,) = refusal(**{name: f"https://good.example.com,{entry}"})
    assert problem.startswith(f"{name} is malformed: entry 2: ")


def test_origins_are_kept_as_browsers_write_them(production: Callable[..., Settings]) -> None:
    given = "HTTPS://App.Example.com:443/, http://localhost:3000,http://[::1]:80"
    kept = ("https://app.example.com", "http://localhost:3000", "http://[::1]")
    env = production(CORS_ALLOWED_ORIGINS=given, CSRF_TRUSTED_ORIGINS=f"{given},https://*.example.com")
    assert env.cors_allowed_origins == kept
    assert env.csrf_trusted_origins == (*kept, "https://*.example.com")


def test_the_development_key_is_no_fallback_in_production(refusal: Refusal) -> None:
    (problem,) = refusal(SECRET_KEY_FALLBACKS="development-only-key-never-used-in-production")
    assert problem.startswith("SECRET_KEY_FALLBACKS has the development key")


@pytest.mark.parametrize(
    ("url", "event"),
    [
        ("smtp://localhost:25", "mail_goes_to_this_machine"),
        ("smtp+tls://[::1]:587", "mail_goes_to_this_machine"),
        ("smtp://127.0.0.9", "mail_goes_to_this_machine"),
        ("dummymail://", "mail_is_not_sent"),
        ("consolemail://", "mail_is_not_sent"),
        ("smtp+tls://mail.example.com:587", None),
    ],
)
def test_mail_that_goes_nowhere_is_said_at_the_start(
    production: Callable[..., Settings], url: str, event: str | None
) -> None:
    with capture_logs() as lines:
        say_where_mail_goes(production(EMAIL_URL=url))
    assert [line["event"] for line in lines] == [event] * (event is not None)
