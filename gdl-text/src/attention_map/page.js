"use strict";
document.documentElement.classList.add("js");
document.querySelectorAll("section.map").forEach(begin);

// Makes one sentence pair answer to pointer and keyboard. What is looked at is { source, target }: a place in either line,
// or in both for a cell of the matrix.
function begin(section) {
  const lines = section.querySelector(".lines");
  const svg = section.querySelector("svg");
  const curve = svg.firstElementChild;
  const out = section.querySelector("output");
  const table = section.querySelector("table");
  const words = {};
  for (const name of ["source", "target"]) {
    words[name] = [...section.querySelectorAll(`.${name} button`)];
    // One stop of the Tab key per line: the arrow keys go along it.
    words[name].forEach((word, i) => { word.tabIndex = i ? -1 : 0; });
  }
  const resting = "Point at a word to see what it has to do with the other line.";
  out.textContent = resting;
  curve.remove();

  let matrix;
  function cells() {
    matrix ??= [...table.tBodies[0].rows].map((row) => [...row.cells].slice(1));
    return matrix;
  }
  const weight = (cell) => Number(cell.style.getPropertyValue("--w")) || 0;
  const other = (name) => (name === "source" ? "target" : "source");

  // The weights between a word and the other line's words.
  function weights(name, i) {
    if (name === "target") return cells()[i].slice(0, words.source.length).map(weight);
    return cells().map((row) => weight(row[i]));
  }

  // The place of the greatest, or -1. A row's own is marked, for its digits may not tell.
  function strongest(name, i, all) {
    if (name === "target") return cells()[i].findIndex((cell) => cell.classList.contains("top"));
    const most = Math.max(0, ...all);
    return most > 0 ? all.indexOf(most) : -1;
  }

  let shown = null;
  function show(view) {
    if (view?.source === shown?.source && view?.target === shown?.target) return;
    shown = view;
    clear();
    if (!view) return;
    table.classList.add("picked");
    const name = view.target === undefined ? "source" : "target";
    const i = view[name];
    const all = weights(name, i);
    const top = strongest(name, i, all);
    words[name][i].classList.add("on");
    words[other(name)].forEach((word, j) => {
      word.style.setProperty("--w", all[j]);
      word.classList.toggle("most", j === top);
      if (all[j] >= 0.1) draw(words[name][i], word, all[j]);
    });
    if (view.target !== undefined) table.tBodies[0].rows[view.target].classList.add("on");
    if (view.source !== undefined) {
      table.tHead.rows[0].cells[view.source + 1].classList.add("on");
      cells().forEach((row) => row[view.source].classList.add("on"));
    }
    if (view.source !== undefined && view.target !== undefined) {
      cells()[view.target][view.source].classList.add("here");
      words.source[view.source].classList.add("on");
      tellCell(view);
    } else {
      tellWord(name, i, all);
    }
  }

  function clear() {
    for (const word of [...words.source, ...words.target]) {
      word.style.removeProperty("--w");
      word.classList.remove("on", "most");
    }
    svg.replaceChildren();
    out.textContent = resting;
    table.classList.remove("picked");
    for (const marked of table.querySelectorAll(".on, .here")) marked.classList.remove("on", "here");
  }

  // A line from word to word, the thicker the more weight.
  function draw(from, to, w) {
    const frame = lines.getBoundingClientRect();
    const [a, b] = [from, to].map((word) => word.getBoundingClientRect());
    const down = a.top < b.top;
    const x = [a, b].map((box) => box.left + box.width / 2 - frame.left);
    const y = [down ? a.bottom + 2 : a.top - 2, down ? b.top - 2 : b.bottom + 4].map((edge) => edge - frame.top);
    const middle = (y[0] + y[1]) / 2;
    const path = curve.cloneNode();
    path.setAttribute("d", `M${x[0]},${y[0]} C${x[0]},${middle} ${x[1]},${middle} ${x[1]},${y[1]}`);
    path.setAttribute("stroke-width", String(1 + 3 * w));
    path.setAttribute("stroke-opacity", String(0.25 + 0.6 * w));
    svg.append(path);
  }

  const percent = (w) => `${(100 * w).toFixed(1)} %`;
  function bold(word) {
    const b = document.createElement("b");
    b.textContent = word.textContent;
    return b;
  }

  function copied(target) {
    const cell = cells()[target][words.source.length];
    return cell ? [`; copied rather than generated: ${percent(weight(cell))}`] : [];
  }

  function tellCell({ source, target }) {
    const w = weight(cells()[target][source]);
    const pair = [bold(words.target[target]), " looked at ", bold(words.source[source])];
    out.replaceChildren(...pair, ` ${percent(w)}`, ...copied(target));
  }

  function tellWord(name, i, all) {
    const top = strongest(name, i, all);
    const order = all.map((w, j) => [w, j]).filter(([w]) => w > 0);
    order.sort((a, b) => (b[1] === top) - (a[1] === top) || b[0] - a[0] || a[1] - b[1]);
    const said = [bold(words[name][i]), name === "target" ? " looked at " : " was looked at by "];
    order.slice(0, 6).forEach(([w, j], k) => said.push(k ? ", " : "", bold(words[other(name)][j]), ` ${percent(w)}`));
    if (!order.length) said.push(name === "target" ? "nothing shown here" : "no word");
    const rest = order.slice(6).reduce((sum, [w]) => sum + w, 0);
    if (rest >= 0.0005 && name === "target") said.push(`, others ${percent(rest)}`);
    if (name === "target") said.push(...copied(i));
    out.replaceChildren(...said);
  }

  // What an element stands for: a word, a cell, or the name of a row or a column; nothing otherwise.
  function viewOf(element) {
    const found = element.closest?.("button, td, th");
    if (!found || !section.contains(found)) return null;
    for (const name of ["source", "target"]) {
      const i = words[name].indexOf(found);
      if (i >= 0) return { [name]: i };
    }
    const [target, source] = [found.parentElement.rowIndex - 1, found.cellIndex - 1];
    const view = {};
    if (target >= 0) view.target = target;
    if (source >= 0 && source < words.source.length) view.source = source;
    return view.target === undefined && view.source === undefined ? null : view;
  }

  let pinned = null;
  function pin(view) {
    pinned = view;
    show(view);
  }

  section.addEventListener("pointerover", (event) => {
    if (event.pointerType === "mouse") show(viewOf(event.target) ?? pinned);
  });
  section.addEventListener("pointerleave", () => show(pinned));
  section.addEventListener("focusin", (event) => {
    const view = event.target.matches("button") ? viewOf(event.target) : null;
    if (!view) return;
    const line = words[view.source === undefined ? "target" : "source"];
    line.forEach((word) => { word.tabIndex = word === event.target ? 0 : -1; });
    pin(view);
  });
  section.addEventListener("focusout", () => pin(null));
  document.addEventListener("click", (event) => {
    const view = viewOf(event.target);
    // Not every browser focuses a button that is clicked.
    if (view && event.target.matches("button")) event.target.focus();
    pin(view);
  });
  // The lines between words are drawn in pixels.
  addEventListener("resize", () => {
    const again = shown;
    show(null);
    show(again);
  });
  section.addEventListener("keydown", (event) => {
    if (event.key === "Escape") pin(null);
    if (!event.target.matches("button") || event.ctrlKey || event.altKey || event.metaKey) return;
    const view = viewOf(event.target);
    const name = view.source === undefined ? "target" : "source";
    const next = goal(event.key, name, view[name]);
    if (next) {
      event.preventDefault();
      next.focus();
    }
  });

  function goal(key, name, i) {
    const line = words[name];
    const forward = getComputedStyle(line[i].parentElement).direction === "rtl" ? -1 : 1;
    switch (key) {
      case "ArrowRight": return line[i + forward];
      case "ArrowLeft": return line[i - forward];
      case "Home": return line[0];
      case "End": return line[line.length - 1];
      case "ArrowUp": return name === "target" ? words.source[strongest(name, i, weights(name, i))] : null;
      case "ArrowDown": return name === "source" ? words.target[strongest(name, i, weights(name, i))] : null;
      default: return null;
    }
  }
}
