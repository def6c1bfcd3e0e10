-- What a sealed file has beyond schema.sql; it counts as version 2, which no program writes events to.

CREATE TABLE seal (
    id  INTEGER PRIMARY KEY CHECK (id = 1),
    why TEXT NOT NULL
) STRICT;

CREATE TRIGGER events_end_here BEFORE INSERT ON events
BEGIN
    SELECT RAISE (ABORT, 'the log is sealed');
END;

CREATE TRIGGER erasures_end_here BEFORE INSERT ON erasures
BEGIN
    SELECT RAISE (ABORT, 'the log is sealed');
END;

CREATE TRIGGER the_seal_stays BEFORE UPDATE ON seal
BEGIN
    SELECT RAISE (ABORT, 'the log is sealed');
END;

CREATE TRIGGER the_seal_is_not_broken BEFORE DELETE ON seal
BEGIN
    SELECT RAISE (ABORT, 'the log is sealed');
END;
