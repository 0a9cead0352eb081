from hypothesis import given, settings, HealthCheck, Phase, seed
from hypothesis import strategies as st
import os, time, pytest, collections, re, pickle
from django.db import connection, transaction, DataError, DatabaseError
from tests.chains import chains, rows, Rows
import tests.test_rewrite_chains as T
from tests.test_rewrite_chains import compare, Counts
class C(Counts):
    def __setattr__(self, name, value):
        if name=="failed_alone" and value: self.__dict__["hit"]=True
        super().__setattr__(name, value)

@pytest.mark.django_db
def test_find():
    counts=C(); alone=[]; kinds={}; number=collections.Counter()
    @seed(int(os.environ.get("SEED","1")))
    @settings(max_examples=int(os.environ.get("N","60")), database=None, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
    @given(rows=rows, chosen=st.lists(chains, min_size=20, max_size=20))
    def run(rows, chosen):
        with rows.stored():
            for c in chosen:
                try:
                    with transaction.atomic():
                        counts.__dict__.pop("hit",None)
                        compare(c, counts)
                        if counts.__dict__.pop("hit",None): alone.append((rows,c))
                except Exception as e:
                    text=str(e) if isinstance(e,AssertionError) else str(e)[:300]+'\n'+repr(c)
                    key=type(e).__name__+" "+text.split(":")[0][:22]+" "
                    if "column of the outer SELECT has no name" in text: key+="F3 unnamed"
                    elif "arm of a union" in text: key+="F4 union"
                    elif " first " in repr(c) : key+="F1 first"
                    elif re.search(r"(labels|depot|scans|parcel)'\): \d", repr(c)): key+="F2 joins"
                    else: key+=text[:100] if not isinstance(e,AssertionError) else ""
                    number[key]+=1
                    if key not in kinds or len(kinds[key])>len(text): kinds[key]=text
    t=time.perf_counter()
    run()
    for r,c in sorted(alone,key=lambda x:len(x[1].text))[:3]: print("FAILED ALONE",c); print(r)
    print(counts, time.perf_counter()-t)
    for k,n in number.most_common(): print("=====",n,k); print(kinds[k][:int(os.environ.get("L","3000"))])
