"""Writes diabetes.csv from scikit-learn's copy of the data, in its raw units.

pip install scikit-learn; python3 diabetes.py
"""
import csv
from pathlib import Path

from sklearn.datasets import load_diabetes

data = load_diabetes(scaled=False)
with open(Path(__file__).parent / "diabetes.csv", "w", newline="") as f:
    out = csv.writer(f, lineterminator="\n")
    out.writerow([*data.feature_names, "progression"])
    for x, y in zip(data.data, data.target):
        out.writerow([f"{v:g}" for v in (*x, y)])
