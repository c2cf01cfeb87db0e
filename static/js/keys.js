// The keyboard: j k rows, Enter open, x pick, a r c w decide, / filters, n p pages, g + letter sections, ? overview, Esc leave.
(() => {
  "use strict";
  let waitingForSection = 0;

  const rows = () => [...document.querySelectorAll("table.rows tbody tr:not(.group, .total)")];
  const here = () => document.querySelector("table.rows tbody tr.here");

  const move = (step) => {
    const all = rows();
    if (!all.length) return;
    const now = all.indexOf(here());
    const next = all[Math.min(Math.max(now + step, 0), all.length - 1)];
    here()?.classList.remove("here");
    next.classList.add("here");
    // The sticky heading covers the first row unless there is room for it.
    const wrap = next.closest(".table-wrap");
    const head = next.closest("table").tHead?.offsetHeight ?? 0;
    next.scrollIntoView({ block: "nearest" });
    const above = next.getBoundingClientRect().top - wrap.getBoundingClientRect().top - head;
    if (above < 0) wrap.scrollBy(0, above);
    next.querySelector("a.row-link")?.focus({ preventScroll: true });
  };

  const section = (letter) => document.querySelector(`#rail a[data-key="${CSS.escape(letter)}"]`)?.click();

  // A link or button of the row one stands on, or of the page's own row of decisions: a approve, r reject.
  const shortcut = (key) => {
    if (!/^[a-z]$/.test(key)) return undefined;
    const wanted = `[data-shortcut="${key}"]`;
    const link = here()?.querySelector(wanted) ?? document.querySelector(`.decide ${wanted}`);
    return link ? () => link.click() : undefined;
  };

  const actions = {
    j: () => move(1),
    k: () => move(-1),
    x: () => here()?.querySelector("td.pick input")?.click(),
    n: () => document.querySelector(".pager a[rel=next]")?.click(),
    p: () => document.querySelector(".pager a[rel=prev]")?.click(),
    g: () => {
      waitingForSection = Date.now();
    },
    "?": () => document.getElementById("keys")?.showModal(),
    "/": () => {
      const fields = document.querySelectorAll("[data-filters] :is(input:not([type=hidden]), select, summary)");
      const field = [...fields].find((one) => one.checkVisibility());
      field?.focus();
      field?.select?.();
    },
    Enter: () => {
      if (document.activeElement === document.body) here()?.querySelector("a.row-link")?.click();
    },
  };

  const writing = (element) =>
    element.matches("textarea, select, [contenteditable]") ||
    (element.matches("input") && !element.matches("[type=checkbox], [type=radio]"));

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.key === "Escape") {
      for (const open of document.querySelectorAll("details.dropdown[open], details.multi[open]")) open.open = false;
      document.documentElement.dataset.drawer = "closed";
      if (writing(event.target)) {
        // A browser would also empty a search box, which takes the filter away.
        event.preventDefault();
        event.target.blur();
      }
      return;
    }
    if (writing(event.target) || document.querySelector("dialog[open]")) return;
    if (Date.now() - waitingForSection < 1500) {
      waitingForSection = 0;
      section(event.key);
      return;
    }
    const action = actions[event.key] ?? shortcut(event.key);
    if (!action) return;
    if (event.key !== "Enter") event.preventDefault();
    action();
  });
})();
