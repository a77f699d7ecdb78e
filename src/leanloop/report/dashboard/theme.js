"use strict";
// Runs before the first paint, so that no page flashes in the other theme.
(function () {
  function apply(theme) {
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
  }
  let kept = "auto";
  try { kept = localStorage.getItem("leanloop-theme") || "auto"; } catch { /* not allowed */ }
  apply(kept);
  document.addEventListener("DOMContentLoaded", () => {
    const select = document.getElementById("theme");
    select.value = kept;
    select.addEventListener("change", () => {
      apply(select.value);
      try { localStorage.setItem("leanloop-theme", select.value); } catch { /* not allowed */ }
    });
  });
})();
