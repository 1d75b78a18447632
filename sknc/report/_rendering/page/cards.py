"""What a page shows first: a card for each property, with its verdict if it has one."""

import math
from collections.abc import Mapping, Sequence

from sknc.metrics import select
from sknc.report._rendering.content import Content
from sknc.report._rendering.page.figures import key as mark
from sknc.report._rendering.page.figures import legend, meter
from sknc.report._rendering.page.markup import Markup, joined, tag
from sknc.report._rendering.page.scales import decades
from sknc.report._rendering.table import Shown
from sknc.report._rendering.verdict import (
    Verdict,
    overall_grade,
    overall_words,
    verdicts,
    why_not_judged,
)


def verdict_cards(contents: Mapping[str, Content]) -> Markup:
    """Return the verdict on each report in words, and a card for each property."""
    found = {name: verdicts(content) for name, content in contents.items()}
    lines = [
        tag("p", *_overall(name if len(found) > 1 else "", of_one), class_="overall")
        for name, of_one in found.items()
    ]
    cards = [
        _verdict_card(metric.key, contents, found) for metric in select("essential")
    ]
    return joined(*lines, legend(list(contents)), tag("div", *cards, class_="cards"))


def value_cards(content: Shown) -> Markup:
    """Return a card for the first metric of each property."""
    firsts: dict[str, str] = {}
    for key in content.values:
        firsts.setdefault(content.metric(key).group, key)
    cards = [
        _card(content, key, [_value_line(content.values[key], f"{key}")])
        for key in firsts.values()
    ]
    return tag("div", *cards, class_="cards")


def _overall(name: str, found: Sequence[Verdict]) -> list[Markup | str]:
    before = f"{name}: " if name else ""
    grade, words = overall_grade(found), overall_words(found)
    if grade is None:
        return [before, words]
    word, _, rest = words.partition(",")
    return [before, tag("span", word, class_=f"word grade-{grade}"), f",{rest}"]


def _verdict_card(
    key: str,
    contents: Mapping[str, Content],
    found: Mapping[str, Sequence[Verdict]],
) -> Markup:
    judged = {
        name: verdict
        for name, of_one in found.items()
        for verdict in of_one
        if verdict.key == key
    }
    content = next(iter(contents.values()))
    if not judged:
        return _card(content, key, [_note(why_not_judged(content, key))])
    lines = [
        _judged_line(list(contents).index(name), verdict, several=len(contents) > 1)
        for name, verdict in judged.items()
    ]
    first = next(iter(judged.values()))
    values = [judged[name].value if name in judged else math.nan for name in contents]
    scale = decades([*values, first.least / 10, 2 * first.most], 1.5, 98.5)
    lines.append(meter(values, (first.least, first.most), scale))
    lines.append(tag("p", tag("code", key), f": {first.bounds}", class_="bounds rest"))
    notes = dict.fromkeys(verdict.note for verdict in judged.values() if verdict.note)
    notes |= dict.fromkeys(
        f"{name}: {why_not_judged(one, key)}"
        for name, one in contents.items()
        if name not in judged
    )
    return _card(content, key, [*lines, *map(_note, notes)])


def _judged_line(index: int, verdict: Verdict, *, several: bool) -> Markup:
    word = tag("span", verdict.word, class_=f"word grade-{verdict.grade}")
    value = tag("strong", f"{verdict.value:.4g}")
    parts = [mark(index), value, word] if several else [value, word]
    return tag("p", *parts, class_="value several" if several else "value")


def _value_line(value: float, name: str) -> Markup:
    number = tag("p", tag("strong", f"{value:.4g}"), class_="value")
    return joined(number, tag("p", tag("code", name), class_="bounds"))


def _note(text: str) -> Markup:
    return tag("p", text, class_="note")


def _card(content: Shown, key: str, lines: Sequence[Markup]) -> Markup:
    group = content.metric(key).group
    meaning = tag("p", content.meaning(group), class_="what")
    return tag("div", tag("h3", group), meaning, *lines, class_="card")
