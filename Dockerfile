# for builds that come out the same: --build-arg PYTHON=3.13-slim-trixie@sha256:… with the digest that was tested
ARG PYTHON=3.13-slim-trixie

FROM python:${PYTHON} AS build
WORKDIR /app
COPY requirements/base.txt requirements/
# wheels only: a package that wants a compiler fails here and not in production
RUN python -m venv --without-pip /venv \
    && pip --python /venv/bin/python install --no-cache-dir --disable-pip-version-check --no-deps \
        --only-binary :all: --require-hashes -r requirements/base.txt
COPY manage.py ./
COPY apps apps
COPY config config
COPY docs/patterns docs/patterns
COPY docs/comparisons.json docs/
# enough settings to be read; nothing is connected to and nothing of it stays in the image
RUN DJANGO_SETTINGS_MODULE=config.settings.production ALLOWED_HOSTS=localhost \
    SECRET_KEY=only-while-the-image-is-built-0123456789-abcdefghij \
    DATABASE_URL=postgres://app@127.0.0.1/app REDIS_URL=redis://127.0.0.1/0 EMAIL_URL=dummymail:// \
    /venv/bin/python manage.py collectstatic --noinput --verbosity 0 \
    && /venv/bin/python -m compileall -q apps config manage.py

FROM python:${PYTHON}
# the number lets an orchestrator see that it is not root
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin app
COPY --from=build /venv /venv
COPY --from=build /app /app
WORKDIR /app
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=config.settings.production \
    PROMETHEUS_MULTIPROC_DIR=/tmp/metrics \
    HOST=0.0.0.0 \
    PORT=8000
# Celery: SIGTERM lets tasks finish for a few seconds, then hands them back
ENV REMAP_SIGTERM=SIGQUIT
USER 10001
EXPOSE 8000
# no HEALTHCHECK: a web server is probed in another way than a worker, see docker-compose.yml
STOPSIGNAL SIGTERM
CMD ["python", "-m", "config.server"]
