"""Only the head of a line is looked for: what waits behind another is marked, and a trigger takes the mark off.

The version before marks nothing, and the trigger serves it too.
"""

from django.db import migrations, models

# Whatever settles or deletes deliveries, of whatever version: the first that is left in each of their lines is no longer
# behind. The plan is kept for a session, which may begin with an empty table: so it may only use indexes.
TRIGGER = """
    CREATE FUNCTION events_delivery_next() RETURNS trigger LANGUAGE plpgsql
        SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
    BEGIN
        IF EXISTS (SELECT FROM changed WHERE TG_OP = 'DELETE' OR due_at IS NULL) THEN
            UPDATE events_delivery SET behind = false WHERE behind AND id IN (
                SELECT first.id
                FROM (SELECT DISTINCT receiver, aggregate FROM changed WHERE TG_OP = 'DELETE' OR due_at IS NULL) line
                CROSS JOIN LATERAL (
                    SELECT q.id FROM events_delivery q
                    WHERE q.receiver = line.receiver AND q.aggregate = line.aggregate AND q.due_at IS NOT NULL
                    ORDER BY q.id + 0 LIMIT 1) first);
        END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER events_delivery_settled AFTER UPDATE ON events_delivery
        REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION events_delivery_next();
    CREATE TRIGGER events_delivery_deleted AFTER DELETE ON events_delivery
        REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION events_delivery_next();"""
NO_TRIGGER = """
    DROP TRIGGER events_delivery_settled ON events_delivery;
    DROP TRIGGER events_delivery_deleted ON events_delivery;
    DROP FUNCTION events_delivery_next()"""


class Migration(migrations.Migration):

    dependencies = [
        ('events', '0006_traceparent'),
    ]

    operations = [
        migrations.AddField(
            model_name='delivery',
            name='behind',
            field=models.BooleanField(db_default=False, default=False, editable=False, help_text='an earlier one of its line waits'),
        ),
        migrations.RunSQL(TRIGGER, NO_TRIGGER),
    ]
