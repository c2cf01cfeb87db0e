// What is wrong with the page as it stands, as sentences; runs in the page.
() => {
  const found = [];
  const visible = (element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const short = (element) => element.outerHTML.slice(0, 120);

  const headings = document.querySelectorAll("h1").length;
  if (headings !== 1) found.push(`${headings} h1`);
  if (!document.documentElement.lang) found.push("no language");
  if (!document.title) found.push("no title");

  for (const field of document.querySelectorAll("input:not([type=hidden]), select, textarea")) {
    const named = field.labels?.length || field.getAttribute("aria-label") || field.getAttribute("aria-labelledby");
    if (!named) found.push(`a field without a label: ${short(field)}`);
  }
  for (const element of document.querySelectorAll("a[href], button, summary")) {
    const name = element.getAttribute("aria-label") || element.textContent.trim() || element.getAttribute("title");
    if (!name) found.push(`a link or button without a name: ${short(element)}`);
  }
  for (const image of document.querySelectorAll("img:not([alt]), svg[role=img]:not(:has(> title))")) {
    found.push(`a picture without words: ${short(image)}`);
  }
  for (const cell of document.querySelectorAll("th:not([scope])")) found.push(`a heading of nothing: ${short(cell)}`);
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  for (const id of new Set(ids.filter((one, place) => ids.indexOf(one) !== place))) found.push(`two have the id ${id}`);
  for (const element of document.querySelectorAll("[aria-describedby], [aria-labelledby], [aria-controls]")) {
    for (const name of ["aria-describedby", "aria-labelledby", "aria-controls"]) {
      for (const id of (element.getAttribute(name) || "").split(" ").filter(Boolean)) {
        if (!document.getElementById(id)) found.push(`${name} points to nothing: ${short(element)}`);
      }
    }
  }

  const wide = document.documentElement.scrollWidth - innerWidth;
  if (wide > 0) found.push(`the page is ${wide} px wider than the window`);
  if (window.shifted > 0.05) found.push(`the page moved while it was drawn: ${window.shifted.toFixed(3)}`);

  // Contrast of every text with the ground it stands on (WCAG 2.2, 1.4.3).
  const parts = (colour) => colour.match(/[\d.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = parts(colour).map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const style = getComputedStyle(one);
      if (style.backgroundImage !== "none") return null;
      const alpha = parts(style.backgroundColor)[3] ?? 1;
      if (alpha === 1) return style.backgroundColor;
      if (alpha > 0) return null;
    }
    return getComputedStyle(document.documentElement).colorScheme.includes("dark") ? null : "rgb(255, 255, 255)";
  };
  const seen = new Set();
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || element.closest("[aria-hidden=true], [aria-disabled=true], :disabled, .sr, title, desc")) continue;
    if (!visible(element)) continue;
    const style = getComputedStyle(element);
    const drawn = element.closest("svg");
    const ink = drawn ? style.fill : style.color;
    const below = ground(drawn ? drawn.parentElement : element);
    if (!below || seen.has(`${ink} ${below}`)) continue;
    seen.add(`${ink} ${below}`);
    const [low, high] = [light(ink), light(below)].sort((a, b) => a - b);
    const ratio = (high + 0.05) / (low + 0.05);
    if (ratio < 4.5) found.push(`contrast ${ratio.toFixed(2)} of ${ink} on ${below}: ${short(element)}`);
  }
  return found;
}
