"""What can be wrong with interactions, said before any training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from nbtune.api import Example, Finding, Inventory, Part
from nbtune_recommendation.options import RecommendationOptions

_SHOWN = 20


def findings(
    parts: Mapping[Part, Sequence[Example]], inventory: Inventory, options: RecommendationOptions
) -> Iterator[Finding]:
    """Errors stop the run, warnings doubt the data, notes tell what was guessed."""
    train = parts.get("train", ())
    facts = inventory.facts
    liked: Mapping[str, Sequence[int]] = facts["liked"]
    yield Finding("note", facts["positive_reason"])
    if not any(liked.values()):
        yield Finding(
            "error",
            f"no training row counts as liked (a label of {facts['positive_from']:g} or more)",
            "set positive_from lower, or choose another label column",
        )
        return
    if not any(len(items) > 1 for items in liked.values()):
        yield Finding(
            "error",
            "no user has two liked items, so there is nothing to learn a taste from",
            "give more interactions a user, or check the user column",
        )
    yield from _about_users(liked)
    yield from _about_items(train, facts["items"], facts["texts"])
    yield from _about_features(inventory, options)
    if options.split != "random" and train and not all("time" in example.inputs for example in train):
        yield Finding("note", "there is no time column: rows are taken in the order of the table")


def _about_users(liked: Mapping[str, Sequence[int]]) -> Iterator[Finding]:
    single = sum(len(items) < 2 for items in liked.values())
    if single and single < len(liked):
        message = f"{single:,} of {len(liked):,} users have fewer than two liked items and teach nothing about tastes"
        yield Finding("warning" if single > len(liked) / 2 else "note", message, count=single)


def _about_items(train: Sequence[Example], items: Sequence[str], texts: Sequence[str]) -> Iterator[Finding]:
    versions: dict[str, set[str]] = {}
    for example in train:
        if example.inputs["text"]:
            versions.setdefault(example.inputs["item"], set()).add(example.inputs["text"])
    several = {item for item, found in versions.items() if len(found) > 1}
    if several:
        rows = [example.row for example in train if example.inputs["item"] in several]
        message = f"{len(several):,} items have several texts (such as {sorted(several)[0]!r}); the first is used"
        yield Finding("warning", message, "check the item and text columns", tuple(rows[:_SHOWN]), len(several))
    empty = [item for item, text in zip(items, texts, strict=True) if not text]
    if empty:
        message = f"{len(empty):,} items have no text (such as {empty[0]!r})"
        yield Finding("error", message, "give them a text, in the rows or in the table of items", count=len(empty))
    same = [text for text, count in Counter(text for text in texts if text).items() if count > 1]
    if same:
        message = f"{len(same):,} texts belong to more than one item; such items cannot be told apart"
        yield Finding("warning", message, "check the item column", count=len(same))


def _about_features(inventory: Inventory, options: RecommendationOptions) -> Iterator[Finding]:
    kinds, varying = inventory.facts["kinds"], inventory.facts["varying"]
    if options.features is not None:
        missing = [name for name in options.features if name not in kinds]
        if missing:
            message = (
                f"the feature {missing[0]!r} does not describe items: it is missing, constant, or names too many things"
            )
            yield Finding("error", message, "choose number columns, or columns with up to 50 names")
        return
    if kinds:
        yield Finding(
            "note", f"features for the final ranker: {', '.join(f'{name} ({kind})' for name, kind in kinds.items())}"
        )
    dropped = [name for name in varying if name not in kinds]
    if dropped:
        yield Finding(
            "note", f"not used: {', '.join(dropped)} (not fixed per item, so they cannot order items for a user)"
        )
