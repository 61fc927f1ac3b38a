"use strict";
// What a mark stands for: said beside it where the pointer or the focus is, a table after a click.
const data = JSON.parse(document.getElementById("details").textContent);
const tip = document.createElement("div");
tip.id = "tip";
tip.hidden = true;
tip.setAttribute("role", "status");
document.body.append(tip);

function markOf(event) {
  return event.target.closest("[data-detail]");
}

function say(event) {
  const mark = markOf(event);
  tip.hidden = !mark;
  if (!mark) return;
  const part = event.target.dataset.part;
  const detail = data.details[mark.dataset.detail];
  tip.textContent = part ? detail.says + "\n" + part : detail.says;
  const at = mark.getBoundingClientRect();
  const left = Math.min(at.left, window.innerWidth - tip.offsetWidth - 8);
  const below = at.bottom + 6;
  const fits = below + tip.offsetHeight < window.innerHeight;
  tip.style.left = Math.max(8, left) + "px";
  tip.style.top = Math.max(8, fits ? below : at.top - tip.offsetHeight - 6) + "px";
}

function row(cells, kind) {
  const line = document.createElement("tr");
  for (const text of cells) {
    const cell = document.createElement(kind);
    cell.textContent = text;
    line.append(cell);
  }
  return line;
}

function show(event) {
  const mark = markOf(event);
  if (!mark) return;
  const detail = data.details[mark.dataset.detail];
  const shown = mark.closest("figure").querySelector(".shown");
  const title = document.createElement("h3");
  title.textContent = detail.title;
  const head = document.createElement("thead");
  head.append(row(data.columns[detail.columns], "th"));
  const body = document.createElement("tbody");
  body.append(...detail.rows.map((cells) => row(cells, "td")));
  const table = document.createElement("table");
  table.append(head, body);
  const wide = document.createElement("div");
  wide.className = "wide";
  wide.append(table);
  tip.hidden = true;
  shown.replaceChildren(title, wide);
  shown.hidden = false;
  shown.scrollIntoView({ block: "nearest" });
}

document.addEventListener("pointerover", say);
document.addEventListener("focusin", say);
document.addEventListener("focusout", () => { tip.hidden = true; });
document.addEventListener("click", show);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") tip.hidden = true;
  // points are no buttons of the browser's
  else if (event.key === "Enter" && markOf(event) && event.target.tagName !== "BUTTON") show(event);
});
