from __future__ import annotations

import csv
import random

import pandas as pd
import pytest

from nbtune.data.delimited import guess_delimiter, read_delimited
from nbtune.data.files import FileSettings
from nbtune.data.tables import Table
from nbtune.errors import DataError

NONE = FileSettings()


def rows(table: Table) -> list[list[object]]:
    return table.frame.astype(object).to_numpy().tolist()


def test_csv_quoting_is_undone_also_over_several_lines() -> None:
    table = read_delimited('text,label\r\n"a, ""b""\r\nc",x\r\n\r\n5" pipe,y\r\n', "a.csv", NONE)
    assert rows(table) == [['a, "b"\r\nc', "x"], ['5" pipe', "y"]]
    assert [table.where(0), table.where(1)] == ["row 0 (line 2)", "row 1 (line 5)"]


def test_csv_agrees_with_the_csv_module_on_random_cells() -> None:
    chance = random.Random(1)
    pieces = ['"', ",", "\n", "\r\n", "a", "é", " ", "'", ";", "\t", "#"]
    cells = [["k" + "".join(chance.choices(pieces, k=6)), f"label {row}"] for row in range(300)]
    written = pd.DataFrame(cells, columns=["text", "label"]).to_csv(index=False)
    assert rows(read_delimited(written, "a.csv", NONE)) == cells


def test_tsv_keeps_quotes_that_belong_to_the_text() -> None:
    text = 'sentence\tlabel\n" spider-man is better\t1\nsaid "no"\t0\n" ends "\t0\nit is "\t1\n'
    table = read_delimited(text, "a.tsv", NONE, delimiter="\t")
    assert table.frame["sentence"].tolist() == ['" spider-man is better', 'said "no"', '" ends "', 'it is "']


def test_tsv_that_pandas_wrote_is_unquoted() -> None:
    frame = pd.DataFrame({"text": ['he said "no"', "two\nlines", "a\ttab", "plain"], "label": ["a", "b", "a", "b"]})
    table = read_delimited(frame.to_csv(sep="\t", index=False), "a.tsv", NONE, delimiter="\t")
    assert table.frame["text"].tolist() == frame["text"].tolist()
    one_line = frame.iloc[[0, 3]]
    table = read_delimited(one_line.to_csv(sep="\t", index=False), "a.tsv", NONE, delimiter="\t")
    assert table.frame["text"].tolist() == ['he said "no"', "plain"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_out(delimiter: str) -> None:
    text = f"text{delimiter}label\nwell, yes; no{delimiter}1\nah{delimiter}2\n".replace(
        "well, yes; no", '"well, yes; no"' if delimiter in ",;" else "well, yes; no"
    )
    assert guess_delimiter(text) == delimiter
    assert read_delimited(text, "a.csv", NONE).frame.columns.tolist() == ["text", "label"]


def test_a_single_column_is_a_table_too() -> None:
    assert rows(read_delimited("text\nhello\n\nbye\n", "a.csv", NONE)) == [["hello"], ["bye"]]


def test_a_file_without_a_header_gets_numbered_columns() -> None:
    table = read_delimited("good stuff,1\nbad,0\n", "a.csv", FileSettings(header=False))
    assert table.frame.to_dict("list") == {"column_1": ["good stuff", "bad"], "column_2": [1, 0]}
    assert table.where(0) == "row 0 (line 1)"


def test_a_nameless_column_gets_a_name() -> None:
    assert read_delimited(",text\n0,a\n1,b\n", "a.csv", NONE).frame.columns.tolist() == ["column_1", "text"]


@pytest.mark.parametrize(("bad", "fields"), [("only one field", 1), ("a,b,c", 3)])
def test_a_ragged_row_is_named_by_its_line(bad: str, fields: int) -> None:
    text = f'text,label\n"two\nlines",x\n{bad}\nfine,y\n{bad}\n'
    with pytest.raises(DataError) as caught:
        read_delimited(text, "a.csv", NONE)
    plural = "" if fields == 1 else "s"
    assert caught.value.message == (
        f"a.csv: line 4 has {fields} field{plural}, the first line has 2 (and 1 more such lines)"
    )
    assert "?delimiter=;" in caught.value.hint


def test_blank_lines_and_lines_of_spaces_are_no_rows() -> None:
    table = read_delimited("text,label\n\na,x\n   \n\nb,y\n\n", "a.csv", NONE)
    assert rows(table) == [["a", "x"], ["b", "y"]]
    assert table.where(1) == "row 1 (line 6)"


def test_a_quote_that_is_never_closed_is_named_by_its_line() -> None:
    with pytest.raises(DataError) as caught:
        read_delimited('text,label\nfine,a\n"open,b\nmore,c\n', "a.csv", NONE)
    assert caught.value.message == "a.csv: the quotation mark opened in the row at line 3 is never closed"


def test_two_columns_of_one_name_are_refused() -> None:
    with pytest.raises(DataError, match=r"a\.csv has more than one column called 'text'"):
        read_delimited("text,label,text\na,b,c\n", "a.csv", NONE)


def test_a_header_alone_is_refused() -> None:
    with pytest.raises(DataError, match=r"a.csv has a header \(text, label\) but no rows"):
        read_delimited("text,label\n", "a.csv", NONE)


def test_numbers_are_numbers_but_names_of_digits_are_not() -> None:
    table = read_delimited("stars,score,code,zip,big\n1,0.5,007,x1,12345678901234567890\n,2,012,22,1\n", "a.csv", NONE)
    assert table.frame["stars"].isna().tolist() == [False, True]
    assert table.frame["score"].tolist() == [0.5, 2.0]
    assert table.frame["code"].tolist() == ["007", "012"]
    assert table.frame["zip"].tolist() == ["x1", "22"]
    assert table.frame["big"].tolist() == ["12345678901234567890", "1"]


def test_words_that_pandas_takes_for_missing_stay_words() -> None:
    table = read_delimited("text,label\nN/A,None\nnull,nan\n", "a.csv", NONE)
    assert rows(table) == [["N/A", "None"], ["null", "nan"]]


def test_lists_written_by_pandas_are_lists_again() -> None:
    frame = pd.DataFrame({"tokens": [["EU", "it's"], ["a,b"]], "tags": [["B-ORG", "O"], ["O"]]})
    table = read_delimited(frame.to_csv(index=False), "a.csv", NONE)
    assert table.frame.to_dict("list") == frame.to_dict("list")


def test_a_cell_of_ten_megabytes_is_read_whole_and_no_setting_of_the_process_changes() -> None:
    limit = csv.field_size_limit()
    table = read_delimited(f'text,label\n"{"long " * 2_000_000}",a\nb,c\n', "a.csv", NONE)
    assert [len(cell) for cell in table.frame["text"]] == [10_000_000, 1]
    assert table.where(1) == "row 1 (line 3)"
    assert csv.field_size_limit() == limit


def test_a_cell_larger_than_a_block_of_the_reader_is_read() -> None:
    table = read_delimited(f"text,label\n{'x' * 17_500_000},a\n", "a.csv", NONE)
    assert len(table.frame["text"].iloc[0]) == 17_500_000
