"""What explains an entity: its type's log-odds at its words, in the windows that own them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from nbtune_ner.head import NerHead
from nbtune_ner.predictions import Prediction, entity_at, picked
from nbtune_ner.reading import entity_spans, read_text, read_tokens
from nbtune_ner.task import Ner

import nbtune
from nbtune.api import Example, Pretrained, Recipe, SpecError
from nbtune.training.batches import collate
from nbtune.training.devices import choose_device

TEXT = "Angela Merkel flew from Berlin to the unbelievably antidisestablishmentarian IMF in Washington ."
CPU = choose_device("cpu", "fp32")


def head_of(model: str, max_length: int = 64) -> NerHead:
    inputs = read_text(TEXT)
    spans = [(0, 13, "PER"), (24, 30, "LOC")]
    torch.manual_seed(0)
    head = Ner().head(
        Pretrained("tiny", model),
        Ner().inventory([Example(inputs, entity_spans(spans, inputs))]),
        Recipe(max_length=max_length),
    )
    assert isinstance(head, NerHead)
    head.model.eval()
    return head


def found(example: Example, *entities: tuple[int, int, str]) -> Prediction:
    return {"entities": [entity_at(example, *entity, 0.9) for entity in entities], "repaired": 0}


@pytest.mark.parametrize("max_length", [64, 12])
@pytest.mark.parametrize("inputs", [read_text(TEXT), read_tokens(TEXT.split())], ids=["text", "tokens"])
def test_the_score_is_the_mean_log_odds_of_the_type_over_the_words(
    tiny_model: str, inputs: dict[str, Any], max_length: int
) -> None:
    head, example = head_of(tiny_model, max_length), Example(inputs)
    start, end = TEXT.index("Berlin"), TEXT.index(" in Wash")  # long enough to lie in several short windows
    (answer,) = head.explained(example, found(example, (start, end, "LOC")), None)
    with torch.no_grad():
        score = sum(float(answer.score(collate([feature], head, CPU))[0]) for feature in answer.features)
        batch = collate([feature for (own,) in [head.encode([example], training=False)] for feature in own], head, CPU)
        units = head.outputs(batch)
    starts, ends, logits = (
        np.concatenate([getattr(part, name) for part in units]) for name in ("starts", "ends", "logits")
    )
    chances = torch.from_numpy(logits[(starts >= start) & (ends <= end)]).softmax(-1)
    names = head.model.config.id2label  # type: ignore[union-attr]
    inside = sum(chances[:, place] for place, name in names.items() if name in ("B-LOC", "I-LOC"))
    assert isinstance(inside, torch.Tensor)
    assert len(inside) == len(TEXT[start:end].split())
    assert score == pytest.approx(float(torch.log(inside / (1 - inside)).mean()), abs=1e-4)
    assert (len(answer.features) > 1) == (max_length == 12)
    assert (answer.target, answer.probability) == (f"{TEXT[start:end]} as LOC", 0.9)


@pytest.mark.parametrize("inputs", [read_text(TEXT), read_tokens(TEXT.split())], ids=["text", "tokens"])
def test_tokens_lie_in_the_words_they_are_pieces_of(tiny_model: str, inputs: dict[str, Any]) -> None:
    head, example = head_of(tiny_model), Example(inputs)
    (answer,) = head.explained(example, found(example, (0, 13, "PER")), None)
    pieces = head.tokenizer.convert_ids_to_tokens(list(answer.features[0]["input_ids"]))
    assert [place is None for place in answer.places[0]] == [piece in ("[CLS]", "[SEP]") for piece in pieces]
    for piece, place in zip(pieces, answer.places[0], strict=True):
        if place is not None:
            assert piece.removeprefix("##") in TEXT[place[1] : place[2]].lower()


def test_a_target_picks_an_entity_by_text_or_type() -> None:
    example = Example(read_text(TEXT))
    entities = found(example, (0, 13, "PER"), (24, 30, "LOC"), (84, 94, "LOC"))["entities"]
    assert picked(entities, None) == entities
    assert picked(entities, "berlin") == [entities[1]]
    assert picked(entities, "LOC") == [entities[1]]
    with pytest.raises(SpecError, match="no entity 'Berlim'") as caught:
        picked(entities, "Berlim")
    assert "'Berlin'" in caught.value.hint
    with pytest.raises(SpecError):
        picked([], "Berlin")


def test_entities_of_a_run_are_explained_one_by_one(runs_dir: Path, tiny_model: str) -> None:
    towns = ("Rome", "Oslo", "Paris", "Berlin", "London", "Vienna")
    tags = ["O", "O", "B-LOC", "O", "B-LOC"]
    rows = [{"tokens": ["go", "to", one, "or", other], "tags": tags} for one in towns for other in towns]
    run = nbtune.finetune(
        "ner", data=rows, model=tiny_model, epochs=6, learning_rate=3e-3, batch_size=8, max_length=16, watchers=[]
    )
    text = "go to Rome or Oslo"
    explained = run.explain(text)
    assert [part.about for part in explained] == [("text", 6, 10), ("text", 14, 18)]
    assert all(part.completeness < 0.1 for part in explained)
    one = run.explain(text, target="Oslo")
    assert one.target == "Oslo as LOC"
    assert list(one.to_frame()["word"]) == text.split()
    nothing = run.explain("or")
    assert (len(nothing), len(nothing.to_frame())) == (0, 0)
    assert "finds nothing" in repr(nothing)
