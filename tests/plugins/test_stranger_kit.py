"""The conformance kit finds what strangers get wrong, and says what to do."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pydantic import Field

from nbtune.api import (
    Ask,
    Baseline,
    Claim,
    Column,
    Example,
    Head,
    Inventory,
    LabelScores,
    Metric,
    MetricSet,
    Panel,
    Problem,
    Task,
    TaskOptions,
    clean_label,
    clean_text,
    majority,
    mean,
)
from nbtune.errors import DataError, PluginError
from nbtune.testing import check_task

ROWS = [
    {"sentence": f"{opening} {word} is it, {number}", "mood": mood}
    for number, (opening, word, mood) in enumerate(
        [("Where", "town", "ask"), ("Look", "there", "tell"), ("When", "day", "ask"), ("Sure", "this", "tell")] * 4
    )
]


class Mood(Task):
    name = "mood"
    summary = "question or statement"
    headline = "hits"
    columns = (Column("text", "text", ("sentence",)), Column("mood", "label", target=True))

    def read(self, table: Any, columns: Any, part: Any) -> Iterator[Example | Problem]:
        for row, text in enumerate(table[columns.one("text")].tolist()):
            try:
                label = None if part == "predict" else clean_label(table[columns.one("mood")].tolist()[row])
                yield Example({"text": clean_text(text)}, label, row)
            except ValueError as reason:
                yield Problem(row, str(reason), "text")

    def head(self, base: Any, inventory: Any, recipe: Any) -> Head:
        from nbtune.api import SequenceHead

        return SequenceHead(base, inventory, recipe)

    def metrics(self, inventory: Inventory) -> MetricSet:
        def tally(example: Example, prediction: LabelScores) -> list[float]:
            return [1, prediction.names == [example.target]]

        return MetricSet(("rows", "hits"), tally, (Metric("hits", mean(1, 0)),), "hits")

    def baselines(self, inventory: Inventory) -> Sequence[Baseline]:
        return [majority(inventory)]

    def to_row(self, example: Example, prediction: LabelScores) -> dict[str, Any]:
        return {"mood": prediction.names[0], "sure": prediction.top(1)[0][1]}


def test_a_good_task_passes_and_says_what_was_checked(tiny_model: str) -> None:
    checked = check_task(Mood(), ROWS, model=tiny_model)
    assert checked.stages == ("declaration", "reading", "head", "metrics", "showing", "training", "panels")
    assert checked.examples == {"train": 12, "validation": 4}
    assert checked.features == 12
    assert set(checked.metrics) == {"hits"}
    assert str(checked).startswith(
        "mood: declaration, reading, head, metrics, showing, training, panels kept the contract"
    )


def test_the_kit_makes_its_own_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert check_task(Mood(), ROWS).metrics


def refusal(task: Any, model: str, rows: Any = ROWS) -> str:
    with pytest.raises(PluginError) as caught:
        check_task(task, rows, model=model or None)
    assert "docs/plugins.md" in caught.value.hint
    return caught.value.message


def variant(**members: Any) -> Task:
    return type("Mood", (Mood,), {"__module__": "__main__", **members})()


class Undescribed(TaskOptions):
    epochs: int = 3


class Lenient(TaskOptions, extra="allow"):
    strength: int = Field(1, description="how much")


DECLARED: dict[str, tuple[dict[str, Any], str]] = {
    "a name nobody can type": ({"name": "My Mood"}, "name = 'My Mood': use small letters"),
    "no summary": ({"summary": ""}, "summary = ''"),
    "an alias that is no tuple": (
        {"columns": (Column("text", "text", "sentence"),)},  # type: ignore[arg-type]  # the mistake
        "aliases of the column 'text' are 'sentence': give a tuple",
    ),
    "an unknown kind": (
        {"columns": (Column("text", "prose"),)},  # type: ignore[arg-type]  # the mistake
        "has the kind 'prose': use one of text, label",
    ),
    "only targets": ({"columns": (Column("mood", "label", target=True),)}, "every column is a target"),
    "settings without help": ({"Options": Undescribed}, "the setting 'epochs' has no description"),
    "settings that clash": ({"Options": Undescribed}, "'epochs' is one of the common settings already"),
    "settings that swallow typos": ({"Options": Lenient}, "accepts a setting it does not know"),
    "samples that are not there": ({"samples": "samples"}, "samples = 'samples' is not a folder"),
}


@pytest.mark.parametrize("case", DECLARED)
def test_a_wrong_declaration_is_named(case: str) -> None:
    members, said = DECLARED[case]
    assert said in refusal(variant(**members), "")


def test_a_class_is_not_a_task() -> None:
    assert "give an instance: Mood()" in refusal(Mood, "")


def test_several_breaches_are_told_at_once() -> None:
    message = refusal(variant(name="My Mood", summary=""), "")
    assert message.startswith("the task 'My Mood' breaks the contract in 2 places (declaration):\n- ")


def reading(change: Callable[[list[Any], str], list[Any]]) -> Task:
    def read(self: Mood, table: Any, columns: Any, part: str) -> Iterator[Any]:
        return iter(change(list(Mood.read(self, table, columns, part)), part))

    return variant(read=read)


def replaced(examples: list[Any], **changes: Any) -> list[Any]:
    return [dataclasses.replace(each, **changes) if isinstance(each, Example) else each for each in examples]


def tagged_with_number(examples: list[Any], part: str) -> list[Any]:
    return replaced(examples, inputs={"text": "a", "length": np.int64(1)})


def keeping_target(examples: list[Any], part: str) -> list[Any]:
    return replaced(examples, target="ask")


READ: dict[str, tuple[Callable[[list[Any], str], list[Any]], str]] = {
    "rows left out": (lambda examples, _: examples[1:], "read gave 15 results for the 16 rows of a train table"),
    "rows without numbers": (lambda examples, _: replaced(examples, row=-1), "row numbers of the examples are not"),
    "numpy in inputs": (tagged_with_number, "inputs['length'] is a int64, not a plain JSON value"),
    "no target in training": (lambda examples, _: replaced(examples, target=None), "without a target"),
    "a target in prediction": (keeping_target, "was read for prediction with the target 'ask'"),
    "bare values": (lambda examples, _: ["ask"] * len(examples), "read gave a str"),
}


@pytest.mark.parametrize("case", READ)
def test_a_wrong_reader_is_named(case: str, tiny_model: str) -> None:
    change, said = READ[case]
    assert said in refusal(reading(change), tiny_model)


def _other(example: Example) -> str:
    return "tell" if example.target == "ask" else "ask"


CORRECTED: dict[str, tuple[dict[str, Any], str]] = {
    "an answer that is no JSON": ({"answer": lambda _, example: {example.target}}, "answer is a set"),
    "an answer that does not come back": (
        {"answer": lambda _, example: _other(example)},
        "corrected with its own answer 'tell', row",
    ),
    "an answer that is refused": ({"answer": lambda *_: ""}, "corrected refuses '', which is the answer of row"),
    "another text": (
        {"corrected": lambda _, example, answer: Example({"text": "b"}, answer, example.row)},
        "corrected changes more than the target",
    ),
    "anything for an answer": (
        {"corrected": lambda _, example, answer: dataclasses.replace(example, target=answer)},
        "corrected takes {'no': 'answer'} for an answer: raise ValueError",
    ),
    "an answer that is raised over": (
        {"corrected": lambda _, example, answer: dataclasses.replace(example, target=answer.strip())},
        "AttributeError",
    ),
    "words that are none": ({"answer_in_words": lambda *_: 3}, "answer_in_words must give a text"),
}


@pytest.mark.parametrize("case", CORRECTED)
def test_answers_that_cannot_be_corrected_are_named(case: str, tiny_model: str) -> None:
    members, said = CORRECTED[case]
    assert said in refusal(variant(**members), tiny_model)


def test_an_empty_cell_must_become_a_problem(tiny_model: str) -> None:
    def careless(self: Mood, table: Any, columns: Any, part: str) -> Iterator[Example]:
        for row, text in enumerate(table[columns.one("text")].tolist()):
            yield Example({"text": text.strip()}, None if part == "predict" else table["mood"][row], row)

    message = refusal(variant(read=careless, __module__=__name__), tiny_model)
    assert "an empty cell in 'sentence': careless raised AttributeError" in message
    assert "test_stranger_kit.py, line" in message
    assert "yield Problem(row, reason, column)" in message


def test_rows_without_the_column_are_refused_with_the_data_error(tiny_model: str) -> None:
    assert "no column for 'mood'" in refusal(Mood(), tiny_model, [{"sentence": row["sentence"]} for row in ROWS])


def heading(**members: Any) -> Task:
    def head(self: Mood, base: Any, inventory: Any, recipe: Any) -> Head:
        from nbtune.api import SequenceHead

        return type("Wrong", (SequenceHead,), members)(base, inventory, recipe)  # type: ignore[no-any-return]

    return variant(head=head)


def _peeks(self: Any, example: Example, outputs: Any) -> Any:
    scores = LabelScores.best(self.inventory.labels, np.array([0.5, 0.5]))
    return scores if example.target is None else dataclasses.replace(scores, chosen=(1,))


def _remembers(self: Any, example: Example, outputs: Any) -> Any:
    self.seen = getattr(self, "seen", 0) + 1
    return LabelScores.best(self.inventory.labels, np.eye(2)[int(self.seen > 6)])


def _leaks(self: Any, examples: Any, *, training: bool) -> Any:
    from nbtune.api import SequenceHead

    told = [
        dataclasses.replace(e, inputs={"text": f"{e.target or ''} {e.inputs['text']}"})  # the answer goes in
        for e in examples
    ]
    return SequenceHead.encode(self, told, training=training)


def _numb(self: Any, batch: Any) -> Any:
    from nbtune.api import SequenceHead

    return SequenceHead.loss(self, batch).detach()


def _per_row(self: Any, batch: Any) -> Any:
    return self.model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits.sum(-1)


def _tensors(self: Any, batch: Any) -> Any:
    return self.model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits


def _unmasked(self: Any, batch: Any) -> Any:
    return list(self.model(input_ids=batch["input_ids"]).logits.float().numpy())


def _without_limit(self: Any, examples: Any, *, training: bool) -> Any:
    encoded = self.tokenizer([example.inputs["text"] for example in examples])
    rows = [{key: encoded[key][i] for key in ("input_ids", "attention_mask")} for i in range(len(examples))]
    return [[{**row, **({"labels": 0} if training else {})}] for row in rows]


def _numb_score(batch: Any) -> Any:
    return batch["input_ids"].float().sum(-1)


def _explained(**changes: Any) -> Callable[..., Any]:
    """What SequenceHead says, changed."""

    def explained(self: Any, example: Any, prediction: Any, target: Any) -> Any:
        from nbtune.api import SequenceHead

        return dataclasses.replace(SequenceHead.explained(self, example, prediction, target), **changes)

    return explained


def _beyond(self: Any, example: Any, prediction: Any, target: Any) -> Any:
    tokens = len(self.encode([example], training=False)[0][0]["input_ids"])
    return _explained(places=[[("text", 0, 10_000)] * tokens])(self, example, prediction, target)


def _judged(**changes: Any) -> Callable[..., Any]:
    """What SequenceHead thinks of a row, changed."""

    def judge(self: Any, example: Any, outputs: Any) -> Any:
        from nbtune.api import SequenceHead

        found = SequenceHead.judge(self, example, outputs)
        assert found is not None
        return dataclasses.replace(found, **changes)

    return judge


def _half_judged(self: Any, example: Any, outputs: Any) -> Any:
    return _judged()(self, example, outputs) if example.row % 2 else None


def _swayed(self: Any, example: Any, outputs: Any) -> Any:
    shares = [[0.5, 0.5]] if example.target is None else [[0.9, 0.1]]
    return _judged(probabilities=np.array(shares))(self, example, outputs)


HEADS: dict[str, tuple[dict[str, Any], str]] = {
    "decode looks at the target": ({"decode": _peeks}, "decode must not look at example.target"),
    "decode keeps a memory": ({"decode": _remembers}, "predictions differ between one by one and all at once"),
    "the answer in the input": ({"encode": _leaks}, "the answer leaks into the input"),
    "a loss without gradient": ({"loss": _numb}, "the loss has no gradient"),
    "a loss a row": ({"loss": _per_row}, "of shape (8,): give one mean, a scalar"),
    "no weight": ({"weigh": lambda *_: 0.0}, "weigh gave 0.0"),
    "tensors kept on the device": ({"outputs": _tensors}, "outputs gave tensors"),
    "padding read as text": ({"outputs": _unmasked}, "differs between a batch and alone: pass the attention mask"),
    "texts beyond the model": ({"encode": _without_limit}, "heed recipe.max_length"),
    "no explanation": ({"explained": lambda *_: "because"}, "explained gave a str: give an Explained"),
    "tokens without a place": ({"explained": _explained(places=[[None]])}, "more or fewer places than"),
    "places beyond the text": ({"explained": _beyond}, "0 to 10000: give a text of the inputs"),
    "a score without gradient": (
        {"explained": _explained(score=_numb_score)},
        "the score of explained has no gradient",
    ),
    "a score of all": ({"explained": _explained(score=lambda batch: _numb_score(batch).sum())}, "of shape ()"),
    "a judgement of some": ({"judge": _half_judged}, "give an nbtune.api.Judgement, or None for every example"),
    "odds for probabilities": ({"judge": _judged(probabilities=np.ones((1, 2)))}, "do not sum to 1"),
    "probabilities of nobody": ({"judge": _judged(probabilities=np.ones(2))}, "the shape (2,)"),
    "a label beyond the labels": ({"judge": _judged(given=np.array([2]))}, "the position of its gold label"),
    "a claim about nothing": (
        {"judge": _judged(claims=(Claim(0, 3, "ask", "tell", 0.5),))},
        "rests on the units 0 to 3, of 1",
    ),
    "a claim too sure": ({"judge": _judged(claims=(Claim(0, 1, "ask", "tell", 70.0),))}, "the confidence 70.0"),
    "a judgement that peeks": ({"judge": _swayed}, "the probabilities of judge change when the target is taken away"),
    "gold from nowhere": ({"judge": _judged(given=np.array([0]))}, "gold labels to an example without a target"),
    "a state that is no JSON": ({"state": lambda _: {"cut": np.float32(0.5)}}, "state['cut'] is a float32"),
}


@pytest.mark.parametrize("case", HEADS)
def test_a_wrong_head_is_named(case: str) -> None:
    members, said = HEADS[case]
    assert said in refusal(heading(**members), "")


def scoring(**changes: Any) -> Task:
    def metrics(self: Mood, inventory: Inventory) -> MetricSet:
        return dataclasses.replace(Mood.metrics(self, inventory), **changes)

    return variant(metrics=metrics)


def _in_place(sums: Any) -> Any:
    sums += 1
    return sums[..., 1] / sums[..., 0]


def metric(formula: Any, **further: Any) -> dict[str, Any]:
    return {"metrics": (Metric("hits", formula, **further),)}


METRICS: dict[str, tuple[dict[str, Any], str]] = {
    "one shape only": (metric(lambda sums: sums[1] / max(sums[0], 1)), "index as sums[..., column]"),
    "a division by 0": (metric(lambda sums: sums[..., 1] / sums[..., 0]), "divide with nbtune.api.ratio"),
    "sums changed": (metric(_in_place), "changes the sums it is given"),
    "the wrong direction": (metric(mean(1, 0), higher_is_better=False), "beats perfect answers"),
    "nan in a tally": ({"tally": lambda *_: [1, float("nan")]}, "counts nan as 'hits'"),
    "too few counts": ({"tally": lambda *_: [1]}, "tally gave 1 counts for 2 columns"),
    "another headline": (
        {"metrics": (Metric("hit", mean(1, 0)),), "headline": "hit"},
        "headline 'hits' of the class is not among the metrics; did you mean 'hit'?",
    ),
}


@pytest.mark.parametrize("case", METRICS)
def test_wrong_metrics_are_named(case: str, tiny_model: str) -> None:
    changes, said = METRICS[case]
    assert said in refusal(scoring(**changes), tiny_model)


def test_a_baseline_must_answer_in_the_form_of_the_head(tiny_model: str) -> None:
    words = variant(baselines=lambda *_: [Baseline("words", lambda _, asked: ["ask"] * len(asked))])
    assert "AttributeError: 'str' object has no attribute 'names'" in refusal(words, tiny_model)
    short = variant(baselines=lambda *_: [Baseline("short", lambda *_: [])])
    assert "'short' gave 0 answers for 4 examples" in refusal(short, tiny_model)


def test_markup_from_the_data_must_be_escaped(tiny_model: str) -> None:
    task = variant(render=lambda _, example, __: f"<p>{example.inputs['text']}</p>")
    assert "pass every piece of data to nbtune.api.escape" in refusal(task, tiny_model)


def shown_as(**changes: Any) -> Panel:
    return dataclasses.replace(Panel("Look", (Ask("word", "word", "day"),), lambda *_: "drawn"), **changes)


PANELS: dict[str, tuple[Any, str]] = {
    "no panels": ("Look", "give a sequence of nbtune.api.Panel"),
    "the same title": ([shown_as(), shown_as()], "each names a tab"),
    "the same input": ([shown_as(asks=(Ask("a", "a"), Ask("a", "b")))], "share a name: ['a', 'a']"),
    "choices": ([shown_as(asks=(Ask("a", "a", choices=lambda _: [1, 2]),))], "are [1, 2]: give texts"),
    "drawn": ([shown_as(draw=lambda *_: 7)], "a panel drew a int"),
    "empty": ([shown_as(draw=lambda _, given: given["word"][0])], "IndexError"),
    "hostile": ([shown_as(draw=lambda _, given: f"<b>{given['word']}</b>")], "pass every piece of data through escape"),
}


@pytest.mark.parametrize("case", PANELS)
def test_a_wrong_panel_is_named(case: str) -> None:
    from nbtune.testing import panels  # which imports torch, as this module must not: it is a plugin's
    from nbtune.testing.walk import breaches

    shown, said = PANELS[case]
    walk: Any = SimpleNamespace(task=variant(panels=lambda _: shown), opened=None)  # these draw without a model
    assert said in "\n".join(breaches(panels.check, walk))


def test_a_panel_gets_the_saved_model_and_may_refuse_what_was_typed(tiny_model: str) -> None:
    seen: list[Any] = []

    def draw(model: Any, given: Mapping[str, str]) -> str:
        if not given["word"].isalpha():
            raise DataError("that is no word", "such as day")
        seen.extend(model.predict([Example({"text": given["word"]})]))
        return "drawn"

    check_task(variant(panels=lambda _: [shown_as(draw=draw)]), ROWS, model=tiny_model)
    assert [type(each) for each in seen] == [LabelScores]


def test_an_untrained_module_left_out_of_the_saved_model_is_noticed(tiny_model: str) -> None:
    def prepare(self: Any, base: Any, inventory: Any, recipe: Any) -> None:
        import torch

        from nbtune.api import SequenceHead

        SequenceHead.__init__(self, base, inventory, recipe)
        self.scale = torch.nn.Parameter(torch.rand(1) + 1)  # drawn anew at each opening, and never saved

    def outputs(self: Any, batch: Any) -> Any:
        logits = self.model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
        return list((logits * self.scale * 5).detach().numpy())

    message = refusal(heading(__init__=prepare, outputs=outputs), tiny_model)
    assert "list every trained module in extra_modules" in message


def test_a_task_that_imports_torch_with_its_module_is_named(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, tiny_model: str
) -> None:
    (tmp_path / "heavy_mood.py").write_text("import torch\nfrom nbtune.api import Task\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "importing heavy_mood imports torch" in refusal(variant(__module__="heavy_mood"), tiny_model)


def test_the_task_given_is_left_as_it_was(tiny_model: str) -> None:
    task = Mood()
    before = copy.copy(vars(task))
    check_task(task, ROWS, model=tiny_model)
    assert vars(task) == before
