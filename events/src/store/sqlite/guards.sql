-- Guards that files made before them get when they are next opened for writing. `INSERT OR REPLACE` deletes rows without
-- asking the guards of deleting, so what is there may not be inserted again.

CREATE TRIGGER IF NOT EXISTS streams_are_new BEFORE INSERT ON streams
WHEN EXISTS (SELECT 1 FROM streams WHERE id = NEW.id OR name = NEW.name)
BEGIN
    SELECT RAISE (ABORT, 'streams are never replaced');
END;

CREATE TRIGGER IF NOT EXISTS erasures_are_new BEFORE INSERT ON erasures
WHEN EXISTS (SELECT 1 FROM erasures WHERE stream = NEW.stream)
BEGIN
    SELECT RAISE (ABORT, 'erasures are final');
END;
