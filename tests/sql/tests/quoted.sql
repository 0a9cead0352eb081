-- doc: Texts with every kind of quote. One row.
-- column: id integer pk
-- column: text text
SELECT 1 AS id, 'it''s "100%" {ok} %s %(x)s ;' || $$ 'dollar' -- $$ /* a ' in /* a */ comment */ || '\' AS "text" -- the end's
