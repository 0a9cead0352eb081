from hypothesis import given, settings, HealthCheck, Phase, seed
from hypothesis import strategies as st
import os, time, pytest, traceback, collections
from django.db import connection, transaction, DataError
from tests.chains import chains, rows, Rows

@pytest.mark.django_db
def test_try():
    n=[0,0,0,0.0,0.0]; errs=collections.Counter(); sizes=[]
    @settings(max_examples=int(os.environ.get("N","60")), database=None, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
    @given(rows=rows, chosen=st.lists(chains, min_size=20, max_size=20))
    def run(rows, chosen):
        answers=[]
        for back in (False, True):
            with rows.stored(backwards=back):
                found=[]
                for c in chosen:
                    t=time.perf_counter()
                    try:
                        with transaction.atomic():
                            a=c.answer()
                        if isinstance(a,list):
                            if a: n[2]+=1
                            a = a if c.is_ordered else sorted(a,key=repr)
                        found.append(repr(a))
                    except DataError as e:
                        n[1]+=1; found.append("error")
                    except Exception as e:
                        errs[type(e).__name__+str(e)[:150]]+=1
                        if errs[type(e).__name__+str(e)[:150]]==1: print(c, e)
                        found.append("error")
                    n[3]+=time.perf_counter()-t
                    n[0]+=1
                    n[4]+=c.is_accepted
                answers.append(found)
        for c,a,b in zip(chosen,*answers):
            if a!=b and "error" not in (a,b):
                errs["differs"]+=1
                print("DIFFERS",c,a,b,sep="\n")
    t=time.perf_counter()
    run()
    print(n, time.perf_counter()-t); print(errs)
