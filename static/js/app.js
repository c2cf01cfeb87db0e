// Saves clicks; everything works without it. No page data is stored, nothing is evaluated, no other host is asked.
(() => {
  "use strict";
  const root = document.documentElement;
  const store = (name, value) => {
    try {
      localStorage.setItem(name, value);
    } catch {
      // A browser that stores nothing only forgets the colours.
    }
  };

  // Colours and navigation
  const showTheme = () => {
    const now = root.dataset.theme || "auto";
    for (const button of document.querySelectorAll("[data-theme-choice]")) {
      button.setAttribute("aria-pressed", String(button.dataset.themeChoice === now));
    }
  };
  const chooseTheme = (theme) => {
    store("theme", theme);
    if (theme === "auto") delete root.dataset.theme;
    else root.dataset.theme = theme;
    showTheme();
  };
  const toggleRail = () => {
    if (matchMedia("(max-width: 799px)").matches) {
      root.dataset.drawer = root.dataset.drawer === "open" ? "closed" : "open";
      return;
    }
    root.dataset.rail = root.dataset.rail === "closed" ? "open" : "closed";
    store("rail", root.dataset.rail);
  };

  // What was copied is said, not only done.
  const copy = async (element, text) => {
    await navigator.clipboard.writeText(text);
    const before = element.textContent;
    element.textContent = "copied";
    setTimeout(() => {
      element.textContent = before;
    }, 900);
  };

  const countPicks = (form) => {
    const boxes = [...form.querySelectorAll("td.pick input")];
    const picked = boxes.filter((box) => box.checked).length;
    const all = form.querySelector(".pick-all");
    if (all) {
      all.checked = picked > 0 && picked === boxes.length;
      all.indeterminate = picked > 0 && picked < boxes.length;
    }
    const words = form.querySelector("[data-picked-count]");
    if (words) words.textContent = picked === 1 ? "1 row picked" : `${picked} rows picked`;
  };

  document.addEventListener("click", (event) => {
    const target = event.target;
    const theme = target.closest("[data-theme-choice]");
    if (theme) chooseTheme(theme.dataset.themeChoice);
    if (target.closest("[data-toggle-rail]")) toggleRail();
    else if (root.dataset.drawer === "open" && !target.closest("#rail")) root.dataset.drawer = "closed";
    if (target.closest("[data-open-keys]")) document.getElementById("keys").showModal();
    const box = target.closest("[data-copy-from]");
    if (box) {
      const from = box.closest("[data-copy-box]").querySelector(box.dataset.copyFrom);
      copy(box, from.textContent);
    }
    const code = target.closest("[data-copy]");
    if (code) copy(code, code.dataset.copy);
    for (const open of document.querySelectorAll("details.dropdown[open], details.multi[open]")) {
      if (!open.contains(target)) open.open = false;
    }
    openRow(event);
  });

  // A click anywhere on a row opens it, unless the person selects text or meant something else.
  const openRow = (event) => {
    const row = event.target.closest("table.rows tbody tr");
    if (!row || event.target.closest("a, button, input, label, summary, [data-copy]")) return;
    if (event.target.closest("td.pick")) {
      event.target.querySelector("input")?.click();
      return;
    }
    const link = row.querySelector("a.row-link");
    if (link && !String(getSelection())) link.click();
  };

  document.addEventListener("change", (event) => {
    const form = event.target.closest("[data-picks]");
    if (!form) return;
    if (event.target.matches(".pick-all")) {
      for (const box of form.querySelectorAll("td.pick input")) box.checked = event.target.checked;
    }
    countPicks(form);
  });

  // A form that changes something is sent once.
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-once]")) return;
    if (event.target.dataset.sent) {
      event.preventDefault();
      return;
    }
    event.target.dataset.sent = "yes";
    // After the browser has read the form, or the pressed button would be missing from it.
    setTimeout(() => {
      for (const button of event.target.querySelectorAll("button")) button.disabled = true;
    });
  });
  addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("[data-once][data-sent]")) {
      delete form.dataset.sent;
      for (const button of form.querySelectorAll("button")) button.disabled = false;
    }
    for (const form of document.querySelectorAll("[data-picks]")) countPicks(form);
  });

  // Filters: text counts as changed when the person stops typing for a moment.
  let typing;
  document.addEventListener("input", (event) => {
    const form = event.target.closest("[data-filters]");
    if (!form || !event.target.matches("input[type=search], input[inputmode=decimal]")) return;
    clearTimeout(typing);
    typing = setTimeout(() => form.dispatchEvent(new CustomEvent("typed")), 350);
  });
  document.addEventListener("htmx:configRequest", (event) => {
    const values = event.detail.parameters;
    for (const name of Object.keys(values)) if (values[name] === "") delete values[name];
  });

  // A background request that failed is said; silence would look like an unchanged list.
  const say = (words) => {
    const place = document.getElementById("messages");
    const line = document.createElement("p");
    line.className = "message error";
    line.textContent = words;
    place.replaceChildren(line);
  };
  document.addEventListener("htmx:responseError", (event) => {
    const number = event.detail.xhr.getResponseHeader("X-Request-Id") || "";
    say(`The server refused this (${event.detail.xhr.status}). Reload the page. Request ${number}`);
  });
  document.addEventListener("htmx:sendError", () => say("The server did not answer. Check the connection, then reload."));
  document.addEventListener("htmx:afterSettle", () => {
    document.getElementById("messages").replaceChildren();
    for (const form of document.querySelectorAll("[data-picks]")) countPicks(form);
  });

  if (matchMedia("(max-width: 799px)").matches) {
    for (const box of document.querySelectorAll("[data-closed-on-phones]")) box.open = false;
  }
  for (const box of document.querySelectorAll("[data-closed-on-phones]")) box.dataset.settled = "";
  showTheme();
})();
