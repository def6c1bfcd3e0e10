-- The tables of the event store, version 1, made in a schema of their own (the search path is set to it).
-- What is written here is compared with the catalog at every opening (guards.txt): a change needs a new version in
-- schema.rs and a migration.

CREATE TABLE versions (
    version    integer     PRIMARY KEY,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- One row: how far the log is. Whoever appends locks it, and holds it until the commit: so positions have no gaps, and
-- become visible in their order.
CREATE TABLE log (
    one      boolean PRIMARY KEY CHECK (one),
    position bigint  NOT NULL,
    streams  bigint  NOT NULL,
    sealed   text
) WITH (fillfactor = 10);

INSERT INTO log VALUES (true, 0, 0, NULL);

CREATE TABLE streams (
    id   bigint PRIMARY KEY,
    name text   COLLATE "C" NOT NULL UNIQUE
);

-- Nothing is ever deleted here but erased directories, and their bytes shall go soon: hence the thresholds.
CREATE TABLE events (
    position bigint PRIMARY KEY,
    stream   bigint NOT NULL,
    revision bigint NOT NULL,
    id       uuid   NOT NULL,
    kind     bytea  NOT NULL,
    data     bytea  NOT NULL,
    metadata bytea  NOT NULL,
    UNIQUE (stream, revision),
    UNIQUE (stream, id)
) WITH (
    autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0,
    toast.autovacuum_vacuum_threshold = 0, toast.autovacuum_vacuum_scale_factor = 0
);

-- Which directory streams are erased, and the last position given out before.
CREATE TABLE erasures (
    stream   bigint PRIMARY KEY REFERENCES streams (id),
    position bigint NOT NULL
);

-- Written by the readiness probe, to find out whether writing works.
CREATE TABLE probe (
    one   boolean PRIMARY KEY CHECK (one),
    count bigint  NOT NULL
) WITH (fillfactor = 10);

INSERT INTO probe VALUES (true, 0);

-- The log is append-only, whoever connects and with whatever tool.

CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    RAISE EXCEPTION 'carnet: what is in % stays as it is (% refused)', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE FUNCTION events_follow() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    last bigint;
BEGIN
    SELECT position INTO STRICT last FROM log WHERE sealed IS NULL;
    IF (SELECT min(position) <> last + 1 OR max(position) <> last + count(*) FROM added) THEN
        RAISE EXCEPTION 'carnet: events follow the last one of the log' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF EXISTS (
        SELECT 1 FROM added a WHERE a.revision <> 0
            AND NOT EXISTS (SELECT 1 FROM events e WHERE e.stream = a.stream AND e.revision = a.revision - 1)
    ) THEN
        RAISE EXCEPTION 'carnet: an event follows the last one of its stream' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF EXISTS (
        SELECT 1 FROM (SELECT DISTINCT stream FROM added) a
            LEFT JOIN streams s ON s.id = a.stream LEFT JOIN erasures e ON e.stream = a.stream
        WHERE s.id IS NULL OR e.stream IS NOT NULL
    ) THEN
        RAISE EXCEPTION 'carnet: an event belongs to a stream that is not erased' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION events_stay() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM removed r WHERE NOT EXISTS (SELECT 1 FROM erasures e WHERE e.stream = r.stream)) THEN
        RAISE EXCEPTION 'carnet: events are never deleted, but with an erased directory'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION erasures_are_of_directories() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM streams WHERE id = NEW.stream AND starts_with(name, 'directory-'))
        OR EXISTS (SELECT 1 FROM log WHERE sealed IS NOT NULL) THEN
        RAISE EXCEPTION 'carnet: only a directory stream can be erased' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION log_goes_on() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF OLD.sealed IS NOT NULL OR NEW.position < OLD.position OR NEW.streams < OLD.streams OR NOT NEW.one
        OR (NEW.position <> OLD.position AND NEW.position IS DISTINCT FROM (SELECT max(position) FROM events))
        OR (NEW.streams <> OLD.streams AND NEW.streams IS DISTINCT FROM (SELECT max(id) FROM streams)) THEN
        RAISE EXCEPTION 'carnet: the log only goes forwards, to what was added, and no further when it is sealed'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER follow AFTER INSERT ON events REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION events_follow();
CREATE TRIGGER stay AFTER DELETE ON events REFERENCING OLD TABLE AS removed
    FOR EACH STATEMENT EXECUTE FUNCTION events_stay();
CREATE TRIGGER never BEFORE UPDATE OR TRUNCATE ON events FOR EACH STATEMENT EXECUTE FUNCTION refuse();
CREATE TRIGGER never BEFORE UPDATE OR DELETE OR TRUNCATE ON streams FOR EACH STATEMENT EXECUTE FUNCTION refuse();
CREATE TRIGGER directories BEFORE INSERT ON erasures FOR EACH ROW EXECUTE FUNCTION erasures_are_of_directories();
CREATE TRIGGER never BEFORE UPDATE OR DELETE OR TRUNCATE ON erasures FOR EACH STATEMENT EXECUTE FUNCTION refuse();
CREATE TRIGGER forwards BEFORE UPDATE ON log FOR EACH ROW EXECUTE FUNCTION log_goes_on();
CREATE TRIGGER never BEFORE DELETE OR TRUNCATE ON log FOR EACH STATEMENT EXECUTE FUNCTION refuse();
CREATE TRIGGER never BEFORE UPDATE OR DELETE OR TRUNCATE ON versions FOR EACH STATEMENT EXECUTE FUNCTION refuse();

-- Not even a session that replays another server's changes goes past them.
ALTER TABLE events   ENABLE ALWAYS TRIGGER follow,  ENABLE ALWAYS TRIGGER stay, ENABLE ALWAYS TRIGGER never;
ALTER TABLE streams  ENABLE ALWAYS TRIGGER never;
ALTER TABLE erasures ENABLE ALWAYS TRIGGER directories, ENABLE ALWAYS TRIGGER never;
ALTER TABLE log      ENABLE ALWAYS TRIGGER forwards, ENABLE ALWAYS TRIGGER never;
ALTER TABLE versions ENABLE ALWAYS TRIGGER never;
