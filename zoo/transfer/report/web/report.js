"use strict";
// A heading of a sortable table sorts by its column: numbers fall first, names rise first; what has no value comes last.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  const key = (row, column) => {
    const cell = row.cells[column];
    return column === 0 ? cell.textContent : cell.dataset.value === undefined ? null : Number(cell.dataset.value);
  };
  heads.forEach((head, column) => {
    head.setAttribute("aria-sort", "none");
    head.querySelector("button").addEventListener("click", () => {
      const before = head.getAttribute("aria-sort");
      const falling = before === "none" ? column !== 0 : before === "ascending";
      heads.forEach((other) => other.setAttribute("aria-sort", "none"));
      head.setAttribute("aria-sort", falling ? "descending" : "ascending");
      const rows = [...body.rows].map((row) => [key(row, column), row]);
      rows.sort(([a], [b]) => {
        if (a === null || b === null) return (a === null) - (b === null);
        return (falling ? -1 : 1) * (column === 0 ? a.localeCompare(b) : a - b);
      });
      body.append(...rows.map(([, row]) => row));
    });
  });
}
for (const image of document.querySelectorAll("[data-least]")) image.style.minWidth = `${image.dataset.least}px`;
