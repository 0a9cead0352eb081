SELECT label, count(*) AS figures, sum(revenue) AS revenue FROM {{ table("tests.Figure") }} GROUP BY label
