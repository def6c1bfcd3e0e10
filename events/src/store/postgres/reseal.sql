-- Version 2: the seal of a log can be given another reason. Those before it stay, and nothing else of a sealed log changes.

ALTER TABLE log ADD COLUMN resealed text[] NOT NULL DEFAULT '{}';

CREATE OR REPLACE FUNCTION log_goes_on() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF NEW.position < OLD.position OR NEW.streams < OLD.streams OR NOT NEW.one
        OR (NEW.position <> OLD.position AND NEW.position IS DISTINCT FROM (SELECT max(position) FROM events))
        OR (NEW.streams <> OLD.streams AND NEW.streams IS DISTINCT FROM (SELECT max(id) FROM streams)) THEN
        RAISE EXCEPTION 'carnet: the log only goes forwards, to what was added'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF (OLD.sealed IS NULL AND NEW.resealed <> OLD.resealed)
        OR (OLD.sealed IS NOT NULL AND (
            NEW.sealed IS DISTINCT FROM OLD.sealed OR NEW.position <> OLD.position OR NEW.streams <> OLD.streams
            OR cardinality(NEW.resealed) <> cardinality(OLD.resealed) + 1
            OR NEW.resealed[cardinality(NEW.resealed)] IS NULL
            OR NEW.resealed[1:cardinality(OLD.resealed)] IS DISTINCT FROM OLD.resealed
        )) THEN
        RAISE EXCEPTION 'carnet: a sealed log goes no further, and keeps every reason it was sealed for'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
