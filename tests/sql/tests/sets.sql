-- doc: Tries to change a setting of the session. One row.
-- param: name text required
-- param: to text required
-- column: value text pk
SELECT set_config({{ name }}, {{ to }}, false) AS value
