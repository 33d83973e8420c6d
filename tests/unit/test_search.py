"""The words of a text, the language of queries, and that index and single records are judged alike."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imagetrail import moments
from imagetrail.search import engine, matching, ranking
from imagetrail.search.analysis import analyse, words
from imagetrail.search.engine import Filters, View
from imagetrail.search.language import Query, parse
from imagetrail.search.snippets import snippet
from imagetrail.search.walking import FIRST, Walk

if TYPE_CHECKING:
    from pathlib import Path

DATASET = "019c1f00-0000-7000-8000-00000000cafe"
NOW = datetime(2026, 2, 2, tzinfo=UTC)


def record(number: int, prompt: str, **columns: Any) -> dict[str, Any]:
    made = {"id": moments.new_id(NOW, number), "owner": "user:alice", "prompt": prompt, "status": "succeeded"}
    return made | {"created_at": moments.to_text(NOW)} | columns


def view(folder: Path, records: list[dict[str, Any]]) -> View:
    with engine.writing(folder) as writer:
        for each in records:
            writer.add_document(engine.document(each))
    return View(folder)


def found(query: str, prompt: str, **columns: Any) -> bool:
    """Whether a single record matches."""
    return matching.matches(parse(query), matching.Document(record(1, prompt, **columns)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A lake, at DAWN!", ["a", "lake", "at", "dawn"]),
        ("the fox's den, l’eau", ["the", "fox", "den", "l", "eau"]),
        ("Crème brûlée, Straße, Łódź, Ångström", ["creme", "brulee", "strasse", "lodz", "angstrom"]),
        ("cre\u0300me", ["creme"]),
        ("ＡＢＣ ｶﾞｽ", ["abc", "ガス"]),
        ("東京タワー", ["東京", "京タ", "タワ", "ワー"]),
        ("猫 と犬", ["猫", "と犬"]),
        ("서울 야경", ["서울", "야경"]),
        ("الكِتَاب أحمد", ["الكتاب", "احمد"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("👩🏽‍🚀🚀 🇯🇵🇫🇷 ❤️", ["👩‍🚀", "🚀", "🇯🇵", "🇫🇷", "❤"]),
        ("art-deco 3d_model f/1.8", ["art", "deco", "3d", "model", "f", "1", "8"]),
        (" …!? ", []),
    ],
)
def test_a_text_has_these_words(text: str, expected: list[str]) -> None:
    assert [word.text for word in words(text)] == expected


IGNORABLE = ("\u00ad", "\u034f", "\u200b", "\u200c", "\u200d", "\u200e", "\u2060", "\ufe0f", "\ufeff", "\U000e0101")


@pytest.mark.parametrize("ignorable", IGNORABLE)
@pytest.mark.parametrize(
    ("prompt", "q", "marked"),
    [
        ("a wal~rus", "walrus", "wal~rus"),
        ("~walrus~ asleep", "walrus", "walrus"),
        ("the wal~rus’~s den", '"walrus den"', "wal~rus’~s den"),
        ("東京~タワー", "京タ", "京~タ"),
        ("wal~rus~es", "wal*", "wal~rus~es"),
        ("a 🦭~ asleep", "🦭", "🦭"),
    ],
)
def test_an_ignorable_character_neither_splits_nor_hides_a_word(
    ignorable: str, prompt: str, q: str, marked: str
) -> None:
    prompt, marked = (text.replace("~", ignorable) for text in (prompt, marked))
    assert analyse(prompt) == analyse(prompt.replace(ignorable, ""))
    split = ignorable.join(q) if q.isalpha() else ignorable + q + ignorable
    for query in (q, split):
        assert found(query, prompt)
        fragments = snippet(parse(query), prompt)
        assert [f["text"].rstrip(ignorable) for f in fragments if f["match"]] == [marked]
        assert "".join(f["text"] for f in fragments) == prompt
    assert found(split, prompt.replace(ignorable, ""))


@pytest.mark.parametrize("ignorable", IGNORABLE)
def test_ignorable_characters_do_not_hide_operators(ignorable: str) -> None:
    plain = parse('-snow "red fox" style:oil wolf OR bear')
    split = ignorable + ignorable.join('-snow "red fox" style:oil wolf OR bear') + ignorable
    assert parse(split) == plain
    assert parse(ignorable).matches_nothing


def test_what_an_older_version_split_is_indexed_again() -> None:
    made = record(1, "a wal\u00adrus")
    assert engine.fingerprint(made) != engine.fingerprint(made | {"prompt": "a walrus"})
    assert engine.fingerprint(record(1, "a walrus")) == 9_744_418_860_879_469_361, "all others are not"


def test_english_words_have_stems() -> None:
    assert [word.stem for word in words("paintings painted painting foxes")] == ["paint", "paint", "paint", "fox"]


@given(st.text())
def test_words_stand_where_they_say_and_hold_no_space(text: str) -> None:
    last = 0
    for word in words(text):
        assert 0 <= word.start < word.end <= len(text)
        assert word.start >= last - 1
        assert word.text
        assert word.text.split() == [word.text]
        last = word.end
    assert all(len(stem.split()) == 1 for stem in analyse(text).stems)


@pytest.mark.parametrize(
    ("query", "yes", "no"),
    [
        ("red fox", "a fox in red foliage", "a red wolf"),
        ("painting foxes", "foxes were painted", "a painting"),
        ('"red fox"', "The Red Fox!", "red foxes"),
        ('"red fox"', "a red fox", "a fox, red"),
        ("paint*", "painterly", "repaint"),
        ("painti*", "paintings", "paint"),
        ("-fox red", "a red wolf", "a red fox"),
        ('-"red fox" fox', "fox red", "a red fox"),
        ("fox OR wolf", "a wolf", "a bear"),
        ("red fox OR wolf", "red wolf", "wolf"),
        ("fox | wolf", "a wolf", "a bear"),
        ("fox AND wolf", "wolf and fox", "a fox"),
        ("-fox", "a wolf", "a fox"),
        ("the lake", "a lake", "the sea"),
        ("the", "the sea", "a sea"),
        ("creme BRULEE", "Crème brûlée", "cream"),
        ("タワー", "東京タワーの夜景", "東京の夜景"),
        ("東", "東京タワー", "京都"),
        ("東京 夜景", "夜景、東京", "東京"),
        ("🚀", "a 🚀 launch", "a 👩‍🚀"),
        ("قلعه", "قلعةٌ قديمة", "بيت"),
        ("art-deco", "an Art Deco hall", "deco art"),
        ("lake,dawn", "dawn over the lake", "lake"),
        ('"unclosed phrase', "phrase, unclosed", "unclosed"),
        ("colour:red", "a red colour", "red"),
        ("“red fox”", "a red fox", "fox red"),
        ("OR fox", "a fox", "a wolf"),
        ("(fox", "a fox", "a wolf"),
    ],
)
def test_a_query_finds_what_it_means(query: str, yes: str, no: str) -> None:
    assert found(query, yes)
    assert not found(query, no)


def test_fields_are_looked_up_in_their_columns() -> None:
    held: dict[str, Any] = {"style": "Oil painting", "model": "stability-rest/core", "dataset_id": DATASET}
    assert found("style:oil lake", "a lake", **held)
    assert found('style:"oil painting"', "a lake", **held)
    assert found("style:pain*", "a lake", **held)
    assert found("model:stability-rest", "a lake", **held)
    assert not found("model:bedrock", "a lake", **held)
    assert not found("oil", "a lake", **held)
    assert not found("-style:oil lake", "a lake", **held)
    query = parse(f"dataset:{DATASET} lake")
    assert not matching.matches(query, matching.Document(record(1, "a lake", **held)))
    known = query.with_datasets(lambda text: {text})
    assert matching.matches(known, matching.Document(record(1, "a lake", **held)))


@pytest.mark.parametrize("query", ["", "  ", "(((", "-", '"', '""', "* -", "…"])
def test_a_query_without_words_finds_nothing(query: str) -> None:
    assert parse(query).matches_nothing
    assert not found(query, "a lake")


PIECES = [*'ab猫犬é🚀 "*-:|()', "OR", "AND", "style:", "dataset:", " the "]
LETTERS = st.lists(st.sampled_from(PIECES), max_size=30).map("".join)


@given(st.one_of(st.text(max_size=60), LETTERS))
def test_no_text_is_an_error(text: str) -> None:
    query = parse(text)
    document = matching.Document(record(1, text or "x"))
    assert matching.matches(query, document) in (True, False)
    assert 0 <= matching.rank(query, document) < ranking.RANKS
    engine.compiled(query, Filters(owner="user:alice"))
    snippet(query, text)


VOCABULARY = [
    "fox",
    "foxes",
    "red",
    "Red-fox",
    "painting",
    "painted",
    "paint",
    "lake",
    "the",
    "a",
    "at",
    "dawn",
    "東京",
]
VOCABULARY += ["東京タワー", "猫", "黒猫", "🚀", "crème", "creme", "it's"]
PROMPTS = st.lists(st.lists(st.sampled_from(VOCABULARY), min_size=1, max_size=6).map(" ".join), min_size=1, max_size=12)
OPERANDS = st.one_of(
    st.sampled_from([*VOCABULARY, "fo*", "pai*", "東京*", "OR", "|", "AND", "-fox", "-猫", "style:red", "style:pa*"]),
    st.lists(st.sampled_from(VOCABULARY), min_size=1, max_size=3).map(lambda some: f'"{" ".join(some)}"'),
    st.lists(st.sampled_from(VOCABULARY), min_size=2, max_size=2).map(lambda some: f'-"{" ".join(some)}"'),
)


@given(PROMPTS, st.lists(st.lists(OPERANDS, min_size=1, max_size=4).map(" ".join), min_size=1, max_size=8))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_single_record_is_judged_as_the_index_judges_it(
    tmp_path_factory: pytest.TempPathFactory, prompts: list[str], queries: list[str]
) -> None:
    records = [record(n, prompt, style=prompts[-n - 1]) for n, prompt in enumerate(prompts)]
    index = view(tmp_path_factory.mktemp("index"), records)
    for text in queries:
        query = parse(text)
        documents = [matching.Document(each) for each in records]
        alone = [(matching.rank(query, one), one.record["id"]) for one in documents if matching.matches(query, one)]
        walk = Walk(ask=lambda ask: [ask(index)], query=query, filters=Filters(), known={}, depth=3, ranks=True)
        assert [(place.rank, place.id) for place in walk.places(FIRST)] == sorted(alone, reverse=True), text


@pytest.mark.parametrize(
    ("query", "ranks"),
    [
        ("fox", True),
        ('"red fox"', True),
        ("style:ink fox", True),
        ("red fo", True),
        ("fo*", False),
        ("style:ink", False),
        ("model:bedrock -fox", False),
        (f"dataset:{DATASET}", False),
        ("-fox", False),
    ],
)
def test_words_of_the_prompt_rank_and_nothing_else(query: str, ranks: bool) -> None:
    assert parse(query).ranks is ranks


def test_the_index_filters_and_sorts(tmp_path: Path) -> None:
    later = moments.to_text(datetime(2026, 2, 3, tzinfo=UTC))
    records = [
        record(1, "a fox"),
        record(2, "fox fox", favorite=True, created_at=later),
        record(3, "a fox in a very long prompt about other things", owner="user:bob"),
        record(4, "fox", status="failed", dataset_id=DATASET),
    ]
    index = view(tmp_path, records)
    query = parse("fox")

    def ids(filters: Filters) -> list[int]:
        return sorted(record_number(hit.id) for hit in index.top(query, filters, 10))

    def record_number(image_id: str) -> int:
        return next(n for n, each in enumerate(records, 1) if each["id"] == image_id)

    assert ids(Filters()) == [1, 2, 3, 4]
    assert ids(Filters(length=(9, 99))) == [3]
    assert ids(Filters(owner="user:bob")) == [3]
    assert ids(Filters(status="failed")) == [4]
    assert ids(Filters(favorite=True)) == [2]
    assert ids(Filters(favorite=False, owner="user:alice", status="succeeded")) == [1]
    assert ids(Filters(dataset_id=DATASET)) == [4]
    assert ids(Filters(created=(engine.micros(NOW) + 1, 2**62))) == [2]
    assert record_number(index.top(query, Filters(), 1)[0].id) == 2
    assert index.top(Query(), Filters(), 10) == []


def shown(query: str, prompt: str) -> str:
    return "".join(f"[{f['text']}]" if f["match"] else f["text"] for f in snippet(parse(query), prompt))


@pytest.mark.parametrize(
    ("query", "prompt", "expected"),
    [
        ("fox", "Red <b>foxes</b> & a fox", "Red <b>[foxes]</b> & a [fox]"),
        ('"red fox" OR den', "a red fox in its den", "a [red fox] in its [den]"),
        ("paint*", "painterly", "[painterly]"),
        ("タワー", "東京タワーの夜景", "東京[タワー]の夜景"),
        ("東", "東京タワー", "[東]京タワー"),
        ("creme", "une crème brûlée", "une [crème] brûlée"),
        ("-wolf", "a fox", "a fox"),
    ],
)
def test_a_snippet_marks_what_matched(query: str, prompt: str, expected: str) -> None:
    assert shown(query, prompt) == expected


def test_a_long_prompt_is_cut_around_its_matches() -> None:
    prompt = "word " * 200 + "a red fox by the red lake " + "word " * 200
    text = shown("red fox", prompt)
    assert text.startswith("…word")
    assert text.endswith("word…")
    assert "a [red] [fox] by the [red] lake" in text
    assert len(text) < 180


@given(st.text(max_size=400), st.text(max_size=20))
def test_a_snippet_is_a_part_of_the_prompt(prompt: str, query: str) -> None:
    fragments = snippet(parse(query), prompt)
    assert "".join(f["text"] for f in fragments).strip("…") in prompt
    assert all(f["text"] for f in fragments)
