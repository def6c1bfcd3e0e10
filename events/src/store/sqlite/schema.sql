-- The tables of the event store. What is written here is compared with the file at every opening:
-- a change needs a new version in schema.rs and a migration.

CREATE TABLE streams (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE events (
    position INTEGER PRIMARY KEY,
    stream   INTEGER NOT NULL REFERENCES streams (id),
    revision INTEGER NOT NULL,
    id       BLOB    NOT NULL CHECK (length(id) = 16),
    kind     TEXT    NOT NULL,
    data     BLOB    NOT NULL,
    metadata BLOB    NOT NULL,
    UNIQUE (stream, revision),
    UNIQUE (stream, id)
) STRICT;

-- Which directory streams are erased, and the last position given out before: it is never given out again.
CREATE TABLE erasures (
    stream   INTEGER PRIMARY KEY REFERENCES streams (id),
    position INTEGER NOT NULL
) STRICT;

-- Written by the readiness probe, to find out whether writing works.
CREATE TABLE probe (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    count INTEGER NOT NULL
) STRICT;

-- The log is append-only, whoever opens the file and with whatever tool.

CREATE TRIGGER events_follow_the_head BEFORE INSERT ON events
WHEN NEW.position <= (SELECT max(position) FROM events)
  OR NEW.revision IS NOT (SELECT ifnull(max(revision) + 1, 0) FROM events WHERE stream = NEW.stream)
  OR EXISTS (SELECT 1 FROM events WHERE stream = NEW.stream AND id = NEW.id)
  OR EXISTS (SELECT 1 FROM erasures WHERE stream = NEW.stream)
BEGIN
    SELECT RAISE (ABORT, 'an event is new, and follows the last one of its stream and of the log');
END;

CREATE TRIGGER events_are_never_changed BEFORE UPDATE ON events
BEGIN
    SELECT RAISE (ABORT, 'events are never changed');
END;

CREATE TRIGGER events_are_never_deleted BEFORE DELETE ON events
WHEN NOT EXISTS (SELECT 1 FROM erasures WHERE stream = OLD.stream)
BEGIN
    SELECT RAISE (ABORT, 'events are never deleted, but with an erased directory');
END;

CREATE TRIGGER streams_are_never_renamed BEFORE UPDATE ON streams
BEGIN
    SELECT RAISE (ABORT, 'streams are never renamed');
END;

CREATE TRIGGER streams_are_never_deleted BEFORE DELETE ON streams
BEGIN
    SELECT RAISE (ABORT, 'streams are never deleted');
END;

CREATE TRIGGER erasures_are_of_directories BEFORE INSERT ON erasures
WHEN NOT EXISTS (SELECT 1 FROM streams WHERE id = NEW.stream AND name GLOB 'directory-*')
BEGIN
    SELECT RAISE (ABORT, 'only a directory stream can be erased');
END;

CREATE TRIGGER erasures_are_never_changed BEFORE UPDATE ON erasures
BEGIN
    SELECT RAISE (ABORT, 'erasures are final');
END;

CREATE TRIGGER erasures_are_never_deleted BEFORE DELETE ON erasures
BEGIN
    SELECT RAISE (ABORT, 'erasures are final');
END;
