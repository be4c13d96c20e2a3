"""The magics nbtune adds, as tables that parsing, help and completion all read."""

from __future__ import annotations

from nbtune.notebook.arguments import Command, Option, Word

_DATA = "a DataFrame or other variable, a file, sample:NAME or hub:NAME"

_PRECISION = "fp32, bf16, fp16 or int8 (faster on a CPU, a little less exact); by default that of the run"
_PRECISIONS = ("fp32", "bf16", "fp16", "int8")

FINETUNE = Command(
    name="finetune",
    summary="Fine-tune a language model on your data.",
    words=(Word("task", "task", required=False),),
    options=(
        Option("data", _DATA, "DATA", "data"),
        Option("validation", "scored while training; split off the data if not given", "DATA", "data"),
        Option("test", "scored once, at the end", "DATA", "data"),
        Option("name", "what the run is called", "NAME", "name"),
        Option("model", "an alias, a hub id or a local folder", "MODEL", "model"),
        Option("resume", "go on with a run that was stopped or cut off", "RUN", "run"),
        Option("background", "train behind the cell, and leave the kernel free"),
        Option("quiet", "show nothing while training"),
    ),
    settings=True,
    body="the settings as TOML in the cell",
    examples="""
%finetune sentiment --data sample:sentiment epochs=2
%finetune --resume conll
%finetune sentiment --data sample:sentiment --background

%%finetune ner --data train_df --validation dev_df --name conll
model = "minilm-l6"
epochs = 3
learning_rate = 1e-4

%%finetune run << classification --data tickets.csv
epochs = 4
[columns]
text = "body"
label = "queue"
""",
)

EVALUATE = Command(
    name="evaluate",
    summary="Score a run, beside its baselines.",
    words=(Word("run", "run"),),
    options=(
        Option("data", f"{_DATA}; by default, the run's own test or validation part", "DATA", "data"),
        Option("by", "scores for each value of a column too; several with commas between", "COLUMN", "columns"),
        Option("seeds", "mean and spread over the runs that differ in their seed, too"),
        Option("precision", _PRECISION, "PRECISION", choices=_PRECISIONS),
    ),
    examples="""
%evaluate conll
%evaluate conll --data test_df --by source
%evaluate conll --data test_df
report = %evaluate conll --data test.csv
""",
)

PREDICT = Command(
    name="predict",
    summary="Use a run on new texts.",
    words=(Word("run", "run"),),
    options=(Option("data", _DATA, "DATA", "data"), Option("precision", _PRECISION, "PRECISION", choices=_PRECISIONS)),
    texts='"text"',
    body="one text per line in the cell",
    examples="""
%predict conll "Angela Merkel flew from Berlin to Washington"
answers = %predict conll --data new_df

%%predict conll
The first text.
The second text.
""",
)

VERBS: dict[str, Command] = {
    command.name.split()[1]: command
    for command in (
        Command(
            "nbtune tasks",
            "What can be learned here: each task with its columns, score and package.",
            examples="%nbtune tasks",
        ),
        Command(
            "nbtune dashboard",
            "Train and use models by mouse or keys.",
            examples="%nbtune dashboard",
        ),
        Command("nbtune runs", "Every run in the runs folder.", examples="%nbtune runs"),
        Command(
            "nbtune show",
            "A run's curves, data and report again, wherever it trains; one that trains here gets its controls back.",
            words=(Word("run", "run"),),
            options=(
                Option("follow", "keep up with a run that another kernel trains, until the interrupt key"),
                Option("live", "with a smooth chart while it trains here (needs anywidget)"),
            ),
            examples="%nbtune show conll\n%nbtune show conll --follow",
        ),
        Command(
            "nbtune compare",
            "Runs on the same examples: which is better, how sure that is, and where they differ.",
            words=(Word("run", "run"), Word("other", "run")),
            options=(
                Option("data", f"{_DATA}; by default, the test part that all of them kept", "DATA", "data"),
                Option("precision", _PRECISION, "PRECISION", choices=_PRECISIONS),
            ),
            texts="RUN",
            examples="%nbtune compare first second\n%nbtune compare first second third --data test_df",
        ),
        Command(
            "nbtune mistakes",
            "Labels of a run's data that are likely wrong, and what the model gets wrong for sure.",
            words=(Word("run", "run"),),
            options=(
                Option("folds", "train so many models, each to judge the training data that it has not seen", "NUMBER"),
                Option(
                    "part",
                    "validation (the default without folds), train or test",
                    "PART",
                    choices=("validation", "train", "test"),
                ),
                Option(
                    "ranking",
                    "self_confidence or normalized_margin",
                    "RANKING",
                    choices=("self_confidence", "normalized_margin"),
                ),
                Option("corrections", "the file that corrections are written to", "PATH"),
            ),
            examples="%nbtune mistakes conll\nfound = %nbtune mistakes conll --folds 5",
        ),
        Command(
            "nbtune explain",
            "The words that a prediction rests on, for and against, by two methods.",
            words=(Word("run", "run"),),
            options=(
                Option("target", "a label, or an entity by its text or type; by default, the answer", "LABEL", "label"),
            ),
            texts='"text"',
            examples='%nbtune explain reviews "Slow, but what an ending"\n'
            '%nbtune explain conll "Angela Merkel flew to Rome" --target Rome',
        ),
        Command(
            "nbtune inspect",
            "Look at data before training: columns, labels, lengths, problems, and what a training would take.",
            words=(Word("data", "data"),),
            options=(
                Option("task", "what the data is for", "TASK", "task"),
                Option("validation", "checked against the data", "DATA", "data"),
                Option("test", "checked against the data", "DATA", "data"),
                Option("model", "whose tokens are counted; by default minilm-l6", "MODEL", "model"),
            ),
            settings=True,
            examples="%nbtune inspect train_df --task ner\n%nbtune inspect a.csv --task sentiment columns.text=body",
        ),
        Command(
            "nbtune calibrate",
            "Fit a temperature on the validation data, so that a run is as sure as it is right.",
            words=(Word("run", "run"),),
            examples="%nbtune calibrate conll",
        ),
        Command(
            "nbtune free",
            "Give back memory: loaded models, caches and what the last error kept alive.",
            words=(Word("run", "run", required=False),),
            examples="%nbtune free\n%nbtune free conll",
        ),
        Command(
            "nbtune pause",
            "Let a run that trains in the background wait after its current step.",
            words=(Word("run", "run"),),
            examples="%nbtune pause conll",
        ),
        Command(
            "nbtune resume",
            "Let a paused run go on.",
            words=(Word("run", "run"),),
            examples="%nbtune resume conll",
        ),
        Command(
            "nbtune stop",
            "End a run that trains in the background after its current step, keeping its model.",
            words=(Word("run", "run"),),
            examples="%nbtune stop conll",
        ),
        Command(
            "nbtune tutorial",
            "Copy the notebooks that come with nbtune to this folder, or to the one you name.",
            words=(Word("folder", required=False),),
            examples="%nbtune tutorial\n%nbtune tutorial lessons",
        ),
        Command("nbtune doctor", "What this machine can do, and what to change.", examples="%nbtune doctor"),
        Command(
            "nbtune why",
            "The last error, explained at more length.",
            options=(Option("traceback", "with the full traceback unfolded"),),
            examples="%nbtune why",
        ),
    )
}

NBTUNE = Command(
    name="nbtune",
    summary="Look around: " + ", ".join(VERBS) + ".",
    words=(Word("verb", "verb", required=False),),
    examples="\n".join(command.examples.splitlines()[0] for command in VERBS.values()),
)
