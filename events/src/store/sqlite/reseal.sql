-- What a sealed file has beyond seal.sql whose seal was given another reason; it counts as version 3. Seal and reasons are
-- counted in one: the seal is number 1.

CREATE TABLE reseals (
    id  INTEGER PRIMARY KEY,
    why TEXT NOT NULL
) STRICT;

CREATE TRIGGER reseals_follow BEFORE INSERT ON reseals
WHEN NEW.id IS NOT (SELECT ifnull(max(id), 1) + 1 FROM reseals)
BEGIN
    SELECT RAISE (ABORT, 'a reason follows the last one');
END;

CREATE TRIGGER reseals_stay BEFORE UPDATE ON reseals
BEGIN
    SELECT RAISE (ABORT, 'the log is sealed');
END;

CREATE TRIGGER reseals_are_never_deleted BEFORE DELETE ON reseals
BEGIN
    SELECT RAISE (ABORT, 'the log is sealed');
END;
