"use strict";
(() => {
  // A page that nobody makes anew must not pass for today's.
  const hours = (Date.now() - Date.parse(document.getElementById("made").dateTime)) / 36e5;
  if (hours < 26) return;
  const told = document.getElementById("aged");
  told.textContent = "This page is " + Math.floor(hours / 24) + (hours < 48 ? " day" : " days") + " old: what it tells was so then.";
  told.hidden = false;
})();
