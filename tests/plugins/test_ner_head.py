"""The head on a real tokenizer and a small random model: units, windows, loss, outputs, decoding."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from nbtune_ner.head import NerHead, Scored
from nbtune_ner.predictions import found_spans
from nbtune_ner.reading import entity_spans, gold, read_text, read_tokens, tag_spans
from nbtune_ner.task import Ner
from nbtune_ner.units import units_by_offsets
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import (
    AutoModelForTokenClassification,
    AutoTokenizer,
    BertConfig,
    BertModel,
    PreTrainedTokenizerFast,
)

from nbtune.api import Example, Feature, Pretrained, Recipe, SpecError

LONG = "Angela Merkel flew from Berlin to the unbelievably antidisestablishmentarian IMF in Washington . "


def text_example(text: str, *entities: tuple[int, int, str]) -> Example:
    inputs = read_text(text)
    return Example(inputs, entity_spans(list(entities), inputs))


def token_example(tokens: Sequence[str] | str, tags: Sequence[str] | str) -> Example:
    inputs = read_tokens(tokens)
    return Example(inputs, tag_spans(tags, inputs, "auto", None))


def save_tiny_bert(folder: Path, tokenizer: Any) -> str:
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    BertModel(BertConfig(vocab_size=len(tokenizer), **sizes)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="session")
def bert(tiny_model: Any) -> Pretrained:
    return Pretrained("tiny", str(tiny_model))


@pytest.fixture(scope="session")
def byte_level(tmp_path_factory: pytest.TempPathFactory) -> Pretrained:
    """A byte-level tokenizer that, like GPT-2's, glues words that are given to it one by one."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    special = ["<s>", "</s>", "<pad>", "<unk>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    backend.train_from_iterator(
        [LONG, "北京大学"] * 3, trainers.BpeTrainer(vocab_size=320, initial_alphabet=alphabet, special_tokens=special)
    )
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<pad>", unk_token="<unk>")
    return Pretrained("bytes", save_tiny_bert(tmp_path_factory.mktemp("bytes"), tokenizer))


def build(
    base: Pretrained,
    train: Sequence[Example],
    *,
    max_length: int = 64,
    weights: Any = None,
    smooth: float = 0,
    **options: Any,
) -> NerHead:
    task = Ner().configured(options)
    recipe = Recipe(max_length=max_length, class_weights=weights, label_smoothing=smooth)
    torch.manual_seed(0)
    head = task.head(base, task.inventory(train), recipe)
    assert isinstance(head, NerHead)
    head.model.eval()
    return head


def pad(features: Sequence[Feature], head: NerHead) -> dict[str, torch.Tensor]:
    fill = {"labels": -100, **head.padding()}
    longest = max(len(feature["input_ids"]) for feature in features)
    return {
        key: torch.from_numpy(
            np.stack([np.pad(f[key], (0, longest - len(f[key])), constant_values=fill.get(key, 0)) for f in features])
        )
        for key in features[0]
    }


def forward(head: NerHead) -> Any:
    def run(features: Iterable[Feature]) -> Iterator[Any]:
        for feature in features:
            with torch.inference_mode():
                yield head.outputs(pad([feature], head))[0]

    return run


def oracle(head: NerHead, example: Example) -> list[tuple[int, int, str]]:
    """What decoding gives when the model answers every unit with its training label."""
    (taught,), (asked,) = head.encode([example], training=True), head.encode([example], training=False)
    outputs = []
    for labelled, feature in zip(taught, asked, strict=True):
        owned = np.asarray(feature["unit_starts"]) >= 0
        assert (owned == (np.asarray(labelled["labels"]) != -100)).all()
        logits = np.zeros((int(owned.sum()), len(head.model.config.id2label)), dtype=np.float32)
        logits[np.arange(len(logits)), labelled["labels"][owned]] = 5
        outputs.append(Scored(feature["unit_starts"][owned], feature["unit_ends"][owned], logits))
    return found_spans(head.decode(example, outputs))


def random_example(draw: random.Random, words: int) -> Example:
    vocabulary = [
        "Berlin",
        "antidisestablishmentarianism",
        "a",
        ".",
        "北",
        "京",
        "😀",
        "x" * 40,
        "\u200b",
        "O'Neil's",
        "مرحبا",
    ]
    tags = [draw.choice(["O", "O", "B-PER", "I-PER", "B-LOC", "I-LOC"]) for _ in range(words)]
    return token_example([draw.choice(vocabulary) for _ in range(words)], tags)


@pytest.mark.parametrize("kind", ["bert", "byte_level"])
def test_gold_labels_decode_to_gold_spans_whatever_the_length_of_text_and_window(
    kind: str, request: pytest.FixtureRequest
) -> None:
    base = request.getfixturevalue(kind)
    draw = random.Random(6)
    train = [token_example("a b c d", "B-PER I-PER B-LOC I-LOC")]
    for max_length, stride in [(3, 0), (4, None), (5, 1), (12, None), (17, 9), (64, 20), (500, None)]:
        head = build(base, train, max_length=max_length, stride=stride)
        for words in (1, 2, 7, 30, 80):
            example = random_example(draw, words)
            assert oracle(head, example) == gold(example)
            for feature, *_rest in head.encode([example], training=True):
                assert len(feature["input_ids"]) <= max_length


def test_every_word_is_taught_once_on_its_first_subword(bert: Pretrained) -> None:
    example = token_example(["antidisestablishmentarianism", "in", "Berlin", "\u200b"], ["B-X", "O", "B-LOC", "I-LOC"])
    head = build(bert, [example], max_length=6)
    (features,) = head.encode([example], training=True)
    assert len(features) > 1
    labels = [int(label) for feature in features for label in feature["labels"] if label != -100]
    names = head.model.config.id2label
    assert [names[label] for label in labels] == ["B-X", "O", "B-LOC", "I-LOC"]
    first = [
        token
        for feature in features
        for token, label in zip(
            head.tokenizer.convert_ids_to_tokens(feature["input_ids"]), feature["labels"], strict=True
        )
        if label != -100
    ]
    assert first == ["anti", "in", "berlin", "[UNK]"]


def test_a_tokenizer_that_glues_words_is_fed_them_with_spaces(byte_level: Pretrained) -> None:
    example = token_example(["Angela", "Merkel", "北", "京"], ["B-PER", "I-PER", "B-LOC", "I-LOC"])
    ((feature,),) = build(byte_level, [example]).encode([example], training=False)
    assert list(feature["input_ids"]) == byte_level.tokenizer("Angela Merkel 北 京")["input_ids"]
    owned = feature["unit_starts"] >= 0
    places = zip(feature["unit_starts"][owned], feature["unit_ends"][owned], strict=True)
    assert [[int(start), int(end)] for start, end in places] == example.inputs["words"]


def test_a_token_across_words_makes_one_unit_of_all_it_touches() -> None:
    words = np.array([[0, 3], [3, 5], [6, 8]])
    tokens = np.array([[0, 2], [2, 5], [5, 8], [8, 8]])
    tokenized = units_by_offsets([7, 8, 9, 10], tokens, words, words, "word")
    assert tokenized.starts.tolist() == [0, -1, 6, -1]
    assert tokenized.ends.tolist() == [5, -1, 8, -1]
    subwords = units_by_offsets([7, 8, 9, 10], tokens, words, words, "subword")
    assert subwords.starts.tolist() == [0, 2, 6, -1]
    assert subwords.ends.tolist() == [2, 5, 8, -1]


@pytest.mark.parametrize("kind", ["bert", "byte_level"])
@pytest.mark.parametrize("units", ["word", "subword"])
@pytest.mark.parametrize(
    ("text", "entities"),
    [
        ("Angela Merkel's trip to Berlin", [(0, 13, "PER"), (24, 30, "LOC")]),
        ("北京大学在中国", [(0, 4, "ORG"), (5, 7, "LOC")]),
        ("ذهب محمد إلى القاهرة", [(4, 8, "PER"), (13, 20, "LOC")]),
        ("\u200f\ufeffBerlin\u200b, ok", [(2, 8, "LOC")]),
        ("👩\u200d🚀 met José in São Paulo 😀", [(8, 12, "PER"), (16, 25, "LOC")]),
        ("no entity", []),
        ("  Rome  ", [(2, 6, "LOC")]),
    ],
)
def test_character_spans_in_any_script_come_back_exactly(
    kind: str, units: str, text: str, entities: Any, request: pytest.FixtureRequest
) -> None:
    example = text_example(text, *entities)
    head = build(request.getfixturevalue(kind), [example, text_example("x", (0, 1, "PER"))], max_length=12, units=units)
    assert oracle(head, example) == entities


def test_spans_inside_words_come_back_exactly_with_subword_units(bert: Pretrained) -> None:
    example = text_example("Antidisestablishment 5kg", (0, 4, "X"), (21, 22, "NUM"))
    tokens = bert.tokenizer.tokenize(example.inputs["text"])
    assert tokens[0] == "anti"  # the boundary is one between subwords
    head = build(bert, [example])
    assert oracle(head, example)[0] == (0, 4, "X")
    assert oracle(build(bert, [example], units="word"), example)[0] == (0, 20, "X")


def test_an_entity_within_one_subword_or_without_any_is_widened_or_missed_but_always_scored(bert: Pretrained) -> None:
    inside = text_example("hi😀 there", (2, 3, "EMO"))  # BERT makes one unknown token of "hi😀"
    dropped = text_example("see \u200b there", (4, 5, "EMO"))
    head = build(bert, [inside])
    assert oracle(head, inside) == [(0, 3, "EMO")]
    assert oracle(head, dropped) == []
    for example in (inside, dropped):
        (prediction,) = head.predict([example], forward(head))
        metrics = Ner().metrics(Ner().inventory([inside]))
        assert metrics.tallies([example], [prediction])[0, metrics.columns.index("gold EMO")] == 1


def test_a_text_of_2000_words_is_windowed_and_its_last_entity_kept(bert: Pretrained) -> None:
    text = LONG * 154 + "Oslo"
    spans = [(at, at + 6, "LOC") for at in range(len(text)) if text.startswith("Berlin", at)]
    example = text_example(text, *spans, (len(text) - 4, len(text), "LOC"))
    head = build(bert, [example], max_length=128)
    (features,) = head.encode([example], training=True)
    assert len(features) > 20
    assert sum(int((feature["labels"] == 1).sum()) for feature in features) == 155
    assert oracle(head, example) == gold(example)


def test_texts_without_tokens_are_fed_and_give_no_entities(bert: Pretrained, byte_level: Pretrained) -> None:
    example = text_example("\u200b")
    for base in (bert, byte_level):
        head = build(base, [text_example("Rome", (0, 4, "LOC"))])
        assert next(iter(head.predict([example], forward(head))))["entities"] == []
        (features,) = head.encode([example], training=True)
        loss = head.loss(pad(features, head))
        loss.backward()
        assert loss.item() == 0
        assert head.weigh(pad(features, head)) == 0


def test_learning_lowers_the_loss_until_the_entities_are_found(bert: Pretrained) -> None:
    train = [
        token_example("Angela Merkel was in Berlin", "B-PER I-PER O O B-LOC"),
        text_example("北京大学在中国", (0, 4, "ORG"), (5, 7, "LOC")),
        text_example("nothing here"),
    ]
    head = build(bert, train)
    batch = pad([feature for features in head.encode(train, training=True) for feature in features], head)
    optimizer = torch.optim.AdamW(head.model.parameters(), lr=5e-3)
    losses = []
    for _ in range(60):
        loss = head.loss(batch)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < 0.1 * losses[0]
    predictions = list(head.predict(train, forward(head)))
    assert Ner().metrics(Ner().inventory(train)).scores(train, predictions)["entity_f1"] == 1
    assert predictions[0]["entities"][0]["tokens"] == [0, 2]
    assert predictions[1]["entities"][0]["text"] == "北京大学"
    assert 0.5 < predictions[1]["entities"][0]["confidence"] <= 1


@pytest.mark.parametrize("weights", [None, "balanced", {"PER": 3.0, "O": 0.5}])
@pytest.mark.parametrize("smooth", [0.0, 0.1])
def test_micro_batches_weighted_by_weigh_give_the_loss_of_the_whole_batch(
    bert: Pretrained, weights: Any, smooth: float
) -> None:
    train = [
        token_example("Angela Merkel was in Berlin again", "B-PER I-PER O O B-LOC O"),
        token_example("yes", "O"),
        token_example("Al Bo", "B-PER B-PER"),
    ]
    head = build(bert, train, weights=weights, smooth=smooth)
    features = [feature for group in head.encode(train, training=True) for feature in group]
    whole = head.loss(pad(features, head)).item()
    parts = [
        (head.loss(batch).item(), head.weigh(batch)) for batch in (pad(features[:1], head), pad(features[1:], head))
    ]
    assert sum(loss * weight for loss, weight in parts) / sum(weight for _, weight in parts) == pytest.approx(whole)
    assert head.weigh(pad(features, head)) == pytest.approx(sum(weight for _, weight in parts))
    if weights is None:
        assert head.weigh(pad(features, head)) == 9


def test_class_weights_of_an_unknown_type_are_refused(bert: Pretrained) -> None:
    with pytest.raises(SpecError, match="'PERSON', which is no entity type"):
        build(bert, [token_example("Al", "B-PER")], weights={"PERSON": 2.0})


def test_batching_and_padding_change_nothing(bert: Pretrained) -> None:
    examples = [random_example(random.Random(seed), words) for seed, words in enumerate([3, 40, 12])]
    head = build(bert, examples, max_length=32)
    features = [feature for group in head.encode(examples, training=False) for feature in group]
    with torch.inference_mode():
        together = head.outputs(pad(features, head))
        for feature, output in zip(features, together, strict=True):
            alone = head.outputs(pad([feature], head))[0]
            assert (alone.starts == output.starts).all()
            assert np.allclose(alone.logits, output.logits, atol=1e-5)


def test_the_saved_model_gives_plain_transformers_the_same_tags(bert: Pretrained, tmp_path: Path) -> None:
    tokens = ["Angela", "Merkel", "met", "O'Neil", "of", "the", "antidisestablishmentarian", "IMF"]
    example = token_example(tokens, "B-PER I-PER O B-PER O O O B-ORG")
    head = build(bert, [example])
    head.model.save_pretrained(tmp_path)
    head.tokenizer.save_pretrained(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    model = AutoModelForTokenClassification.from_pretrained(tmp_path)
    encoded = tokenizer(tokens, is_split_into_words=True, return_tensors="pt")
    with torch.inference_mode():
        tags = model(**encoded).logits[0].argmax(-1).tolist()
    word_ids = encoded.word_ids()
    theirs = [model.config.id2label[tags[word_ids.index(word)]] for word in range(len(tokens))]
    (features,) = head.encode([example], training=False)
    output = next(forward(head)(features))
    assert [head.model.config.id2label[label] for label in output.logits.argmax(-1)] == theirs
    assert list(model.config.id2label.values()) == ["O", "B-ORG", "I-ORG", "B-PER", "I-PER"]
    reopened = build(Pretrained("saved", str(tmp_path)), [example])
    assert list(reopened.predict([example], forward(reopened))) == list(head.predict([example], forward(head)))


def test_a_base_fine_tuned_for_other_labels_gets_a_new_layer(bert: Pretrained, tmp_path: Path) -> None:
    other = build(bert, [token_example("a b c", "B-X B-Y B-Z")])
    other.model.save_pretrained(tmp_path)
    other.tokenizer.save_pretrained(tmp_path)
    head = build(Pretrained("other", str(tmp_path)), [token_example("Al", "B-PER")])
    assert list(head.model.config.id2label.values()) == ["O", "B-PER", "I-PER"]


def test_viterbi_never_needs_a_repair(bert: Pretrained) -> None:
    example = random_example(random.Random(9), 60)
    free, bound = (build(bert, [example], decoding=decoding) for decoding in ("argmax", "viterbi"))
    (repaired,), (valid,) = (head.predict([example], forward(head)) for head in (free, bound))
    assert repaired["repaired"]
    assert valid["repaired"] == []


def test_a_stride_that_does_not_fit_is_refused_when_the_head_is_built(bert: Pretrained) -> None:
    with pytest.raises(SpecError, match="stride 40 leaves no step between windows of 30 tokens"):
        build(bert, [token_example("Al", "B-PER")], max_length=32, stride=40)
