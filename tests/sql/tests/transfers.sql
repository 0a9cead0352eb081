-- doc: Transfers between stores. One row per transfer.
-- ordering: id
SELECT * FROM (VALUES (1, 1, 2, 10), (2, 2, 3, 20), (3, 1, 3, 30)) AS t (id, source_id, target_id, amount)
