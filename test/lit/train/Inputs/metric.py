"""Whether a metric of metrics.jsonl was more or less in the last quarter of the steps than in the first: metric.py FILE NAME"""
import json
import sys

values = [row[sys.argv[2]] for row in map(json.loads, open(sys.argv[1])) if sys.argv[2] in row]
part = max(1, len(values) // 4)
first, last = (sum(v) / len(v) for v in (values[:part], values[-part:]))
print(sys.argv[2], "less" if last < first else "more", f"({first:.4f}, {last:.4f})")
