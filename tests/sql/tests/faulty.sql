-- doc: Fails in PostgreSQL, on a line of its own, with a value before it. One row.
-- param: word text default=s3cret
-- param: divisor integer default=0
-- column: word text pk
-- column: quotient integer null
SELECT {{ word }} AS word,
       1 / {{ divisor }} AS quotient
WHERE {{ word }} <> ''
  AND lenght({{ word }}) > 0
