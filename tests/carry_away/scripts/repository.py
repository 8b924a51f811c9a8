"""A repository for a model of another project: a stale change is refused, a taken name is a domain error."""

import os

import django
from django.conf import settings

settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "NAME": os.environ["PGDATABASE"]}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
)
django.setup()

from django.db import connection, models, transaction
from django.db.models.functions import Now

from apps.core.errors import Conflict, VersionConflict
from apps.core.repository import DjangoRepository


class Ship(models.Model):
    """A row of another project."""

    name = models.CharField(max_length=50)
    version = models.PositiveIntegerField(default=1)
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        app_label = "carried"
        constraints = [models.UniqueConstraint(fields=["name"], name="carried_ship_name")]


class NameTaken(Conflict):
    """Another ship has this name."""


class Ships(DjangoRepository[Ship]):
    """Ships in PostgreSQL."""

    model = Ship
    conflicts = {"carried_ship_name": lambda: NameTaken("There is such a ship.")}


try:
    with transaction.atomic():
        with connection.schema_editor() as editor:
            editor.create_model(Ship)
        ships = Ships()
        first = ships.create(Ship(name="Beagle"))
        stale = ships.get(first.pk)
        assert ships.update(first, name="Argo").version == 2
        refused = []
        for attempt in (lambda: ships.update(stale, name="Erebus"), lambda: ships.create(Ship(name="Argo"))):
            try:
                with transaction.atomic():
                    attempt()
            except (VersionConflict, NameTaken) as error:
                refused.append(type(error))
        assert refused == [VersionConflict, NameTaken], refused
        raise RuntimeError("leave nothing behind")
except RuntimeError:
    print("used")
