"use strict";
// The headings of a sortable table become buttons. Numbers that are missing stay last.
const order = new Intl.Collator("en", { numeric: true });

function numberIn(text) {
  return Number(text.replace("inf", "Infinity"));
}

function sortBy(table, column, descending) {
  const body = table.tBodies[0];
  const cells = [...body.rows].map((row) => [row.cells[column].textContent, row]);
  const missing = (text) => text === "–";
  const plain = cells.every(([text]) => missing(text) || !isNaN(numberIn(text)));
  const sign = descending ? -1 : 1;
  cells.sort(([one], [other]) => {
    if (missing(one) || missing(other)) return missing(one) - missing(other);
    if (!plain) return sign * order.compare(one, other);
    return one === other ? 0 : sign * (numberIn(one) - numberIn(other));
  });
  body.append(...cells.map(([, row]) => row));
}

for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const descending = heading.getAttribute("aria-sort") === "ascending";
      for (const other of headings) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
      sortBy(table, column, descending);
    });
  });
  const hint = document.createElement("span");
  hint.className = "muted hint";
  hint.textContent = " Select a heading to sort.";
  table.caption.append(hint);
}
