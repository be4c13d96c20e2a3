"""Recommendation from data to a reloaded run, through the public interface."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import nbtune


def visits() -> pd.DataFrame:
    """Ten users with six ratings each of twelve items that have a price, in time order."""
    random = np.random.default_rng(5)
    rows = []
    for user in range(10):
        for moment, item in enumerate(random.permutation(12)[:6]):
            stars = int(random.integers(4, 6)) if moment % 3 else int(random.integers(1, 6))
            rows.append(
                {
                    "customer": f"c{user}",
                    "product": f"p{item}",
                    "title": f"thing number {item}",
                    "rating": stars,
                    "timestamp": f"2024-03-{moment + 1:02} 10:00",
                    "price": 5.0 + item,
                }
            )
    return pd.DataFrame(rows)


@pytest.mark.usefixtures("runs_dir")
@pytest.mark.parametrize("head", ["towers", "cross"])
def test_a_run_is_trained_evaluated_reloaded_and_recommends(tiny_model: str, head: str) -> None:
    run = nbtune.finetune(
        "recommendation", data=visits(), model=tiny_model, name=head, epochs=1, max_length=32, head=head, rerank=3
    )
    assert run.status == "finished"
    assert {"ndcg@10", "map", "mrr", "recall@10", "auc"} <= set(run.metrics)
    report = run.evaluate()
    assert {"popularity", "TF-IDF profile"} <= set(report.baselines)
    assert "protocol" in report.tables
    assert {"users", "items"} <= {each.by for each in report.slices}
    assert "before fine-tuning" in report.baselines
    again = nbtune.load(head)
    table = again.recommend("c0", k=3)
    pd.testing.assert_frame_equal(table, run.recommend("c0", k=3), atol=1e-4)
    assert len(table) == 3
    asked = pd.DataFrame({"customer": ["c0", "c1"], "product": ["p1", "unseen"], "title": ["thing", "a new thing"]})
    assert again.predict(asked)["score"].notna().all()
    assert (Path(again.model_path) / "item_vectors.safetensors").is_file() == (head == "towers")
