
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const form = byId("filters"), search = byId("search"), owner = byId("owner"), fresh = byId("new"), shown = byId("shown");
  const boxes = [...form.querySelectorAll("input[value]:not(#new)")];
  const head = [...document.querySelectorAll(".clusters thead th")].map((cell) => cell.textContent);
  const column = (name) => head.indexOf(name);
  let rows;
  const read = () => [...byId("clusters").rows].map((row) => ({
    row, text: row.textContent.toLowerCase(), verdict: row.cells[column("Verdict")].textContent,
    owner: column("Owner") > 0 ? row.cells[column("Owner")].textContent : "",
    isNew: column("New") > 0 && Boolean(row.cells[column("New")].textContent),
  }));
  const apply = () => {
    rows = rows || read();
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    let number = 0;
    rows.forEach((item) => {
      const fits = wanted.has(item.verdict) && (!owner || !owner.value || owner.value === item.owner) &&
        (!fresh || !fresh.checked || item.isNew) && words.every((word) => item.text.includes(word));
      item.row.hidden = !fits;
      number += fits;
    });
    shown.textContent = number === rows.length ? "" : number + " of " + rows.length + " shown";
  };
  const remember = () => {
    const told = new URLSearchParams(), hidden = boxes.filter((box) => !box.checked).map((box) => box.value);
    if (search.value) told.set("q", search.value);
    if (owner && owner.value) told.set("owner", owner.value);
    if (hidden.length) told.set("hide", hidden.join(","));
    if (fresh && fresh.checked) told.set("new", "1");
    history.replaceState(null, "", told.toString() ? "#?" + told : "#");
  };
  const recall = () => {
    if (!location.hash.startsWith("#?")) return;
    const told = new URLSearchParams(location.hash.slice(2)), hidden = new Set((told.get("hide") || "").split(","));
    search.value = told.get("q") || "";
    if (owner) owner.value = told.get("owner") || "";
    boxes.forEach((box) => { box.checked = !hidden.has(box.value); });
    if (fresh) fresh.checked = told.has("new");
    apply();
  };
  form.addEventListener("submit", (event) => event.preventDefault());
  [search, owner, fresh, ...boxes].forEach((field) => {
    if (field) field.addEventListener("input", () => { apply(); remember(); });
  });
  window.addEventListener("hashchange", recall);
  form.hidden = false;
  recall();
})();
