-- doc: The groups whose metric changed most from one range to another. One row per group that changed, at most as many as
--   the limit. delta: the value now less that before; change: that as a part of the value before, NULL from 0. Both ranges
--   are read in one scan. A group that is in one of them only has 0 in the other for counts and sums.
{%- import "prebuilt/macros/metrics.sql" as metric with context %}
{%- import "prebuilt/macros/dimensions.sql" as dimension with context %}
{%- macro value(each, rows) %}{{ metric.expression(each, rows, nothing=each.metrics[0].zero) }}{% endmacro %}
WITH facts AS {{ materialized }} {{ facts }},
compared AS (
    SELECT f.*, {{ value(by.now, "f") }} AS now, {{ value(by.before, "f") }} AS before
    FROM facts AS f
),
changed AS (
    SELECT c.*, (c.now - c.before)::{{ type | sqlsafe }} AS delta,
        (c.now - c.before)::{{ quotient_type | sqlsafe }} / nullif(abs(c.before), 0)::{{ quotient_type | sqlsafe }} AS change
    FROM compared AS c
)
SELECT rank() OVER best AS rank
    {{- dimension.columns(dimensions, "c") }}
    {%- for each in metrics %},
    {{ value(each.now, "c") }} AS {{ each.now.name | identifier }},
    {{ value(each.before, "c") }} AS {{ (each.now.name ~ "_before") | identifier }}
    {%- endfor %},
    c.delta,
    c.change
FROM changed AS c
WHERE c.delta {% if direction == "up" %}>{% elif direction == "down" %}<{% else %}<>{% endif %} 0
WINDOW best AS (ORDER BY {% if is_relative %}abs(c.change) DESC NULLS LAST, {% endif %}abs(c.delta) DESC)
ORDER BY rank{{ dimension.by(dimensions, "c") }}
LIMIT {{ limit }}
