-- The same as guards.sql, for files that are sealed.

CREATE TRIGGER IF NOT EXISTS the_seal_is_set_once BEFORE INSERT ON seal
WHEN EXISTS (SELECT 1 FROM seal)
BEGIN
    SELECT RAISE (ABORT, 'the log is sealed');
END;
