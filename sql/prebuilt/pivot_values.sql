-- doc: The values that become columns of a pivot, where the class lists none. One row per value in the data, sorted, NULL
--   last; one more than there may be, so that too many are seen.
SELECT v.by_place AS value
FROM {{ values }} AS v
ORDER BY v.by_place
LIMIT {{ most_values }} + 1
