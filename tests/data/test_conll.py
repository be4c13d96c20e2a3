from __future__ import annotations

import pytest

from nbtune.data.conll import looks_like_conll, read_conll
from nbtune.errors import DataError

CONLL2003 = """-DOCSTART- -X- -X- O

EU NNP B-NP I-ORG
rejects VBZ B-VP O
German JJ B-NP I-MISC

Peter NNP B-NP I-PER
Blackburn NNP I-NP I-PER
Mary NNP I-NP B-PER

-DOCSTART- -X- -X- O

BRUSSELS NNP B-NP I-LOC
"""


def test_four_columns_with_docstart_in_iob1() -> None:
    table = read_conll(CONLL2003, "eng.train")
    assert table.frame["tokens"].tolist() == [["EU", "rejects", "German"], ["Peter", "Blackburn", "Mary"], ["BRUSSELS"]]
    assert table.frame["tags"].tolist() == [["B-ORG", "O", "B-MISC"], ["B-PER", "I-PER", "B-PER"], ["B-LOC"]]
    assert table.frame["column_2"].tolist()[0] == ["NNP", "VBZ", "JJ"]
    assert table.frame["document"].tolist() == [1, 1, 2]
    assert [finding.message for finding in table.findings] == [
        "eng.train: the tags are in the scheme IOB1, read as BIO"
    ]
    assert table.where(1) == "row 1 (line 7)"


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_blank_lines_may_hold_spaces_or_tabs_and_end_as_they_like(newline: str) -> None:
    lines = ["", "EU\tB-ORG", "rejects\tO", " \t", "", "Peter\tB-PER", "\t"]
    table = read_conll(newline.join(lines), "a.conll")
    assert table.frame["tokens"].tolist() == [["EU", "rejects"], ["Peter"]]
    assert table.findings == ()
    assert [table.where(0), table.where(1)] == ["row 0 (line 2)", "row 1 (line 6)"]


def test_a_file_without_a_last_line_end_and_several_spaces_between_columns() -> None:
    assert read_conll("EU   B-ORG\nBonn \tB-LOC", "a.conll").frame["tags"].tolist() == [["B-ORG", "B-LOC"]]


def test_comments_are_passed_over_but_a_hash_may_be_a_token() -> None:
    text = "# id = 1\n# text = # one of them\n#\tO\n#tag\tB-X\nword\tO\n\n# newpar\nx\tO\n"
    assert read_conll(text, "a.conll").frame["tokens"].tolist() == [["#", "#tag", "word"], ["x"]]


def test_comments_with_tabs_and_numbered_tokens() -> None:
    text = "#\thttp://x.de\t[2009]\n1\tSchartau\tB-PER\tO\n2\tsagte\tO\tO\n\n#\thttp://y.de\t[2010]\n1\tEr\tO\tB-X\n"
    frame = read_conll(text, "a.tsv").frame
    assert frame["tokens"].tolist() == [["Schartau", "sagte"], ["Er"]]
    assert frame["tags"].tolist() == [["O", "O"], ["B-X"]]
    assert frame["column_3"].tolist() == [["B-PER", "O"], ["O"]]


def test_tokens_may_hold_odd_spaces() -> None:
    text = "a\u00a0b\tO\n\u200d\tO\nNew York\tB-LOC\n"
    assert read_conll(text, "a.conll").frame["tokens"].tolist() == [["a\u00a0b", "\u200d", "New York"]]
    assert read_conll("a\u00a0b O\nc O\n", "a.conll").frame["tokens"].tolist() == [["a\u00a0b", "c"]]


def test_tokens_alone_have_no_tags() -> None:
    assert read_conll("EU\nrejects\n\nPeter\n", "a.conll").frame.to_dict("list") == {
        "tokens": [["EU", "rejects"], ["Peter"]]
    }


def test_an_unknown_scheme_names_line_and_tag() -> None:
    with pytest.raises(DataError) as caught:
        read_conll("EU\tB-ORG\n\nPeter\tPERSON\n", "a.conll")
    assert caught.value.message == "a.conll: line 3 has the tag 'PERSON', which is of no scheme that nbtune knows"
    assert "BIO (IOB2), IOB1, IO, BIOES" in caught.value.hint


def test_a_line_with_another_number_of_columns_is_named() -> None:
    with pytest.raises(DataError) as caught:
        read_conll("EU B-ORG\nNew York B-LOC\nx O\n", "a.conll")
    assert caught.value.message == "a.conll: line 2 has 3 columns, most lines have 2 (separated by spaces)"


def test_a_bio_corpus_with_a_stray_inside_tag_is_mended_and_counted() -> None:
    (finding,) = read_conll("a O\nb I-X\n\nc B-X\nd I-X\n", "a.conll").findings
    assert finding.message == "a.conll: an I- tag that continues nothing is read as B- (sentences with one: 1)"
    assert (finding.severity, finding.rows, finding.count) == ("note", (0,), 1)


def test_no_sentences_are_refused() -> None:
    with pytest.raises(DataError, match=r"a\.conll has no sentences"):
        read_conll("-DOCSTART- O\n\n# nothing\n", "a.conll")


def test_conll_is_told_from_other_texts() -> None:
    assert looks_like_conll(CONLL2003)
    assert looks_like_conll("EU\tB-ORG\n \nPeter\tB-PER\n")
    assert looks_like_conll("EU ORG\nsays O\n\nPeter PERSON\n")
    assert not looks_like_conll("text,label\n\na,b\n")
    assert not looks_like_conll("good what a day\n\nbad never again\n")
