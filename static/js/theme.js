// Runs before the page is drawn, so that it never flashes in the wrong colours. What a person chose stays in
// this browser only.
(() => {
  "use strict";
  const root = document.documentElement;
  const read = (name) => {
    try {
      return localStorage.getItem(name);
    } catch {
      return null;
    }
  };
  root.dataset.script = "on";
  const theme = read("theme");
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  if (read("rail") === "closed") root.dataset.rail = "closed";
})();
