-- doc: Tries to write. One row.
-- column: n bigint pk
SELECT nextval('tests_region_id_seq') AS n
