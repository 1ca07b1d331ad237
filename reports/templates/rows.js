
"use strict";
(() => {
  const rows = [...document.querySelectorAll("#results > details")];
  const byId = (id) => document.getElementById(id);
  const search = byId("search"), cluster = byId("cluster"), toggle = byId("toggle"), shown = byId("shown");
  const boxes = [...document.querySelectorAll("#filters input[type=checkbox]")];
  const texts = rows.map((row) => row.textContent.toLowerCase());

  const apply = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    let number = 0;
    rows.forEach((row, index) => {
      const fits = wanted.has(row.dataset.s) && (!cluster || !cluster.value || cluster.value === row.dataset.c) &&
        words.every((word) => texts[index].includes(word));
      row.hidden = !fits;
      number += fits;
    });
    shown.textContent = number === rows.length ? "" : number + " of " + rows.length + " shown";
  };
  const clear = () => {
    search.value = "";
    if (cluster) cluster.value = "";
    boxes.forEach((box) => { box.checked = true; });
    apply();
  };
  const follow = () => {
    const target = /^#r\d+$/.test(location.hash) && byId(location.hash.slice(1));
    if (!target) return;
    const row = target.parentElement;
    if (row.hidden) clear();
    row.open = true;
    row.scrollIntoView({ block: "start" });
  };

  search.addEventListener("input", apply);
  boxes.forEach((box) => box.addEventListener("change", apply));
  if (cluster) cluster.addEventListener("change", apply);
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  toggle.addEventListener("click", () => {
    const open = toggle.textContent === "Open all";
    rows.forEach((row) => { if (!row.hidden) row.open = open; });
    toggle.textContent = open ? "Close all" : "Open all";
  });
  window.addEventListener("hashchange", follow);
  if (rows.length) byId("filters").hidden = false;
  apply();
  follow();
})();
