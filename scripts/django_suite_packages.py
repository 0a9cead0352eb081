"""The packages of Django's tests that are run."""

# Those that build the most varied SELECTs. One test of select_related looks for what the garbage collector finds, which
# a parser leaves behind.
PACKAGES = (
    "aggregation",
    "aggregation_regress",
    "annotations",
    "expressions",
    "filtered_relation",
    "lookup",
    "ordering",
    "queries",
    "select_related",
)

# More that read by the ORM, none of which needs ICU's collations or an extension: the embedded servers have neither.
WIDER = (
    "admin_changelist",
    "admin_filters",
    "composite_pk",
    "contenttypes_tests",
    "custom_lookups",
    "custom_managers",
    "defer",
    "delete",
    "distinct_on_fields",
    "expressions_case",
    "expressions_window",
    "extra_regress",
    "foreign_object",
    "generic_relations",
    "generic_relations_regress",
    "known_related_objects",
    "m2m_through_regress",
    "model_inheritance_regress",
    "multiple_database",
    "null_queries",
    "or_lookups",
    "prefetch_related",
    "proxy_models",
    "raw_query",
    "reverse_lookup",
    "select_for_update",
    "select_related_regress",
    "timezones",
    "transactions",
    "update",
    "xor_lookups",
)
