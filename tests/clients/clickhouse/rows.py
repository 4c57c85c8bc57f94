# SPDX-License-Identifier: Apache-2.0
"""rows.py < SQL -- ClickHouse (PyPI's chdb) answers one query with lines of JSON. Files and format schemas are sought in the working folder.

Its Kafka engine is compiled in but has no threads there, so values of records are read from files, one each, by the same formats.
"""
import sys

import chdb

print(chdb.query(sys.stdin.read(), "JSONEachRow"), end="")
