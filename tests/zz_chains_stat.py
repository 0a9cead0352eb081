from hypothesis import given, settings, HealthCheck, Phase
from hypothesis import strategies as st
import collections, pytest, re
from django.db import transaction, DataError
from tests.chains import chains, rows
@pytest.mark.django_db
def test_stat():
    c1=collections.Counter()
    @settings(max_examples=50, database=None, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
    @given(rows=rows, chosen=st.lists(chains, min_size=20, max_size=20))
    def run(rows, chosen):
        c1["examples"]+=1; c1["no depots"]+=not rows.depots; c1["no parcels"]+=not rows.parcels; c1["depots %d"%len(rows.depots)]+=1
        with rows.stored():
            for c in chosen:
                try:
                    with transaction.atomic(): a=c.answer()
                except DataError: continue
                if not isinstance(a,list): c1["scalar"]+=1; continue
                outer=re.match(r"list\((\w+)\.objects\.(\w+)",c.text)
                k=(outer[1] if outer else "?", outer and outer[2]!="annotate", bool(re.search(r"\)\.(filter|exclude)\((Q\()?[ad]\d|\)\.(filter|exclude)\(~?Exists",c.text)), "union" in c.text)
                c1[k,bool(a)]+=1
                if a and isinstance(a[0],tuple): c1["cells"]+=sum(len(r)-1 for r in a); c1["cells not null"]+=sum(v is not None and v!=0 for r in a for v in r[1:])
    run()
    for k,v in sorted(c1.items(),key=str): print(k,v)
