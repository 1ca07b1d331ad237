
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const all = (selector, root) => [...(root || document).querySelectorAll(selector)];
  const results = byId("results"), toggle = byId("toggle"), shown = byId("shown"), form = byId("filters");
  const fields = { q: byId("search"), cluster: byId("cluster"), owner: byId("owner"), severity: byId("severity") };
  const boxes = all("fieldset input[value]:not(#new)", form), fresh = byId("new");
  const lower = (text) => text.toLowerCase();
  const lines = (text) => (text || "").split("\n");

  // What is filtered is read once, when it is first asked for: the page may be large, and its text does not change.
  let items, boards, table, ownerOf;
  const read = () => {
    items = all(".card, .row").map((element) => ({
      element, row: element.classList.contains("row"), text: lower(element.textContent), status: element.dataset.s,
      severity: element.dataset.v, owners: lines(element.dataset.o), cluster: element.dataset.c,
      isNew: Boolean(element.dataset.n), parts: all(".of", element),
    }));
    boards = all(".board").map((element) => ({
      element, cluster: element.dataset.c, owner: element.dataset.o, text: lower(element.textContent),
      columns: all("thead th", element).map((head) => lower(head.textContent)),
      lines: all("tbody tr", element).map((line) => ({
        line, name: lower(line.firstElementChild.textContent),
        cells: all("td a", line).map((cell) => ({ status: cell.className.slice(2), column: cell.parentElement.cellIndex })),
      })),
    }));
    table = all(".clusters .of").map((line) => ({ line, text: lower(line.textContent) }));
    ownerOf = new Map(boards.map((board) => [board.cluster, board.owner]));
  };

  const state = () => {
    const value = (name) => (fields[name] ? fields[name].value : "");
    const wanted = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    const now = {
      words: lower(value("q")).split(/\s+/).filter(Boolean), cluster: value("cluster"), owner: value("owner"),
      severity: value("severity"), wanted, everyStatus: wanted.size === boxes.length,
      isNew: Boolean(fresh && fresh.checked),
    };
    now.plain = !(now.words.length || now.cluster || now.owner || now.severity || now.isNew) && now.everyStatus;
    return now;
  };
  const has = (words, text) => words.every((word) => text.includes(word));
  const answers = (now, cluster, owners) => (!now.cluster || now.cluster === cluster) &&
    (!now.owner || owners.includes(now.owner) || ownerOf.get(cluster) === now.owner);

  const fits = (item, now) => {
    if (!now.wanted.has(item.status) || (now.severity && now.severity !== item.severity)) return false;
    if ((now.isNew && !item.isNew) || !has(now.words, item.text)) return false;
    if (!item.parts.length) return answers(now, item.cluster, item.owners);
    let any = false;
    item.parts.forEach((part) => {
      part.hidden = !answers(now, part.dataset.c, item.owners.length > 1 ? [] : item.owners);
      any = any || !part.hidden;
    });
    return any;
  };
  const fitsBoard = (board, now) => {
    if (!answers(now, board.cluster, [])) return false;
    const cluster = " " + lower(board.cluster) + " ";
    let any = now.everyStatus && has(now.words, board.text);
    board.lines.forEach(({ line, name, cells }) => {
      line.hidden = !now.plain && !cells.some((cell) => now.wanted.has(cell.status) &&
        has(now.words, name + cluster + board.columns[cell.column] + " " + cell.status));
      any = any || !line.hidden;
    });
    return any;
  };

  const apply = () => {
    const now = state();
    if (!items) {
      if (now.plain) return;
      read();
    }
    let number = 0, rows = 0;
    items.forEach((item) => {
      item.element.hidden = !fits(item, now);
      if (item.row) { rows += 1; number += !item.element.hidden; }
    });
    boards.forEach((board) => { board.element.hidden = !fitsBoard(board, now); });
    const visible = new Set(boards.filter((board) => !board.element.hidden).map((board) => board.cluster));
    table.forEach(({ line, text }) => {
      line.hidden = !answers(now, line.dataset.c, []) || !(has(now.words, text) || visible.has(line.dataset.c));
    });
    shown.textContent = now.plain ? "" : number + " of " + rows + " rows shown";
  };

  // What is asked for stands in the address, so that a filtered page can be sent to somebody.
  const remember = () => {
    const told = new URLSearchParams();
    Object.entries(fields).forEach(([name, field]) => { if (field && field.value) told.set(name, field.value); });
    const hidden = boxes.filter((box) => !box.checked).map((box) => box.value);
    if (hidden.length) told.set("hide", hidden.join(","));
    if (fresh && fresh.checked) told.set("new", "1");
    const text = told.toString();
    history.replaceState(null, "", text ? "#?" + text : "#");
  };
  const recall = (told) => {
    Object.entries(fields).forEach(([name, field]) => { if (field) field.value = told.get(name) || ""; });
    const hidden = new Set((told.get("hide") || "").split(","));
    boxes.forEach((box) => { box.checked = !hidden.has(box.value); });
    if (fresh) fresh.checked = told.has("new");
    apply();
  };
  const change = () => { apply(); remember(); };

  // What shares a row has no element of its own; its name says which row it is in.
  const bundled = (name) => all(".bundle").find((bundle) => name.endsWith("." + bundle.dataset.k) &&
    all(".of", bundle).some((part) => part.textContent.split(", ").some((node) => name === [
      part.dataset.c, node === "whole cluster" ? "cluster" : node, bundle.dataset.k,
    ].join(".").replace(/\s/g, "_"))));
  const follow = () => {
    if (location.hash.startsWith("#?")) { recall(new URLSearchParams(location.hash.slice(2))); return; }
    let name = location.hash.slice(1);
    try { name = decodeURIComponent(name); } catch { /* it is taken as it is */ }
    const target = name && (byId(name) || bundled(name));
    if (!target) return;
    if (target.closest("[hidden]")) recall(new URLSearchParams());
    for (let part = target; part; part = part.parentElement) if (part.tagName === "DETAILS") part.open = true;
    target.scrollIntoView({ block: "start" });
  };

  const line = (element) => element.textContent.replace(/\s+/g, " ").trim();
  const ticket = (card) => {
    const told = [
      "### " + line(card.querySelector("h3")), "",
      "- check: `" + line(card.querySelector(".kicker code")) + "`, " + card.dataset.s + ", " + card.dataset.v,
    ];
    all("dl > div", card).forEach((part) => {
      const commands = all("pre code", part);
      const name = line(part.querySelector("dt")).toLowerCase();
      if (!commands.length) told.push("- " + name + ": " + all(".hits, .value", part).map(line).join("; "));
      commands.forEach((command) => told.push("", "```", command.textContent, "```"));
    });
    return [...told, "", location.href.split("#")[0] + "#" + card.id, ""].join("\n");
  };
  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      const copied = document.execCommand("copy");
      area.remove();
      return copied;
    }
  };
  all(".ticket").forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", async () => {
      button.textContent = await copy(ticket(button.parentElement)) ? "Copied" : "Not copied";
      setTimeout(() => { button.textContent = "Copy as ticket"; }, 1500);
    });
  });

  Object.values(fields).forEach((field) => { if (field) field.addEventListener("input", change); });
  [...boxes, ...(fresh ? [fresh] : [])].forEach((box) => box.addEventListener("change", change));
  form.addEventListener("submit", (event) => event.preventDefault());
  byId("print").addEventListener("click", () => window.print());
  toggle.addEventListener("click", () => {
    const open = toggle.textContent === "Open all";
    all("details", results).forEach((row) => { if (!row.hidden) row.open = open; });
    toggle.textContent = open ? "Close all" : "Open all";
  });
  window.addEventListener("hashchange", follow);
  if (results.children.length) form.hidden = toggle.hidden = false;
  follow();
})();
