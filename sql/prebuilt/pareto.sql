-- doc: The groups in the order of a metric, what they add up to, and their classes. One row per group. A group is of the
--   first class whose threshold the groups before it have not reached: the one that reaches it is inside, so that there is
--   always an A. (Others leave it outside: then a single group of 90 % makes an A of none.) What is not above 0 adds nothing.
{%- import "prebuilt/macros/metrics.sql" as metric with context %}
{%- import "prebuilt/macros/dimensions.sql" as dimension with context %}
WITH facts AS {{ materialized }} {{ facts }},
valued AS (
    SELECT f.*, greatest(coalesce({{ metric.expression(by, "f") }}, 0), 0)::{{ type | sqlsafe }} AS adds
    FROM facts AS f
),
summed AS (
    -- Both sums in one order: of binary numbers the last one so far would else not be the whole.
    SELECT v.*,
        rank() OVER (ORDER BY {{ metric.expression(by, "v") }} DESC NULLS LAST) AS rank,
        sum(v.adds) OVER (best ROWS UNBOUNDED PRECEDING) AS so_far,
        sum(v.adds) OVER (best ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS whole
    FROM valued AS v
    WINDOW best AS (ORDER BY {{ metric.expression(by, "v") }} DESC NULLS LAST{{ dimension.by(dimensions, "v") }})
)
SELECT s.rank
    {{- dimension.columns(dimensions, "s") }}
    {%- for each in metrics %},
    {{ metric.column(each, "s") }}
    {%- endfor %},
    s.adds / nullif(s.whole, 0) AS share,
    s.so_far / nullif(s.whole, 0) AS cumulative_share,
    CASE
        {%- for threshold, name in classes %}
        WHEN s.so_far - s.adds < {{ threshold }}::{{ type | sqlsafe }} * s.whole THEN {{ name }}::text
        {%- endfor %}
        ELSE {{ last_class }}::text
    END AS abc
FROM summed AS s
