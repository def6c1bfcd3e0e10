-- What the store's promises rest on, as the catalog has it; one line each, the same on every release of PostgreSQL.
-- $1 is the schema. Every function is named with its schema: whoever may make some in another must not be able to answer.
SELECT pg_catalog.format('column %s.%s %s%s', c.relname, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod),
              CASE WHEN a.attnotnull THEN ' not null' ELSE '' END) AS line
FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE n.nspname = $1 AND c.relkind = 'r'
UNION ALL
SELECT pg_catalog.format('unique %s (%s)', c.relname, pg_catalog.string_agg(a.attname, ', ' ORDER BY k.n))
FROM pg_catalog.pg_index i
    JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    CROSS JOIN LATERAL pg_catalog.unnest(i.indkey::smallint[]) WITH ORDINALITY k (attnum, n)
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
WHERE n.nspname = $1 AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
GROUP BY i.indexrelid, c.relname
UNION ALL
SELECT pg_catalog.format('trigger %s.%s type %s enabled %s tables (%s %s) does %s', c.relname, t.tgname, t.tgtype, t.tgenabled,
              t.tgoldtable, t.tgnewtable, p.proname)
FROM pg_catalog.pg_trigger t
    JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
WHERE n.nspname = $1 AND NOT t.tgisinternal
UNION ALL
SELECT pg_catalog.format('function %s %s', p.proname, pg_catalog.md5(p.prosrc))
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = $1
