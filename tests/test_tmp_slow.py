import time
from contextlib import contextmanager
import pytest
from django.db import connection
from tests.test_faults_kills import *
from tests.test_faults_kills import day_of_payments
from tests import attacks
from backoffice.management.commands.verify import CHECKS
import time

def test_slow(small, watch, owner):
    day_of_payments(small, 8000)
    commands.run("reconcile", "cash", "--date", str(YESTERDAY))
    seen=[]
    def wrap(execute, sql, params, many, context):
        t=time.time()
        try:
            return execute(sql, params, many, context)
        finally:
            seen.append((time.time()-t, sql, params))
    with connection.execute_wrapper(wrap):
        findings()
    seen.sort(key=lambda x:-x[0])
    for s in seen[:5]:
        print("TIME", round(s[0],2), s[1][:1500])
    with connection.cursor() as c:
        c.execute("EXPLAIN " + seen[0][1], seen[0][2])
        print("\n".join(r[0] for r in c.fetchall()))
    owner.execute("ANALYZE")
    t=time.time(); findings(); print("after analyze", time.time()-t)
