/* What a script can tell of a page's accessibility, as a list of complaints. */
(() => {
  const complaints = [];
  const pen = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 1, 1);
    return [...pen.getImageData(0, 0, 1, 1).data];
  };
  const luminance = ([r, g, b]) => [r, g, b].map((value) => value / 255)
    .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
    .reduce((sum, value, at) => sum + value * [0.2126, 0.7152, 0.0722][at], 0);
  const contrast = (one, other) => {
    const [high, low] = [luminance(one), luminance(other)].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  };
  const ground = (node) => {
    const cell = node.parentElement && node.classList.contains("cell-text") && node.parentElement.querySelector(".cell");
    if (cell) return rgba(getComputedStyle(cell).fill);
    for (let at = node; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255, 255];
  };
  const where = (node) => `${node.tagName}.${node.getAttribute("class") || node.id}: ${node.textContent.trim().slice(0, 40)}`;
  const name = (node) => node.getAttribute("aria-label") || node.textContent.trim() || node.title
    || (node.getAttribute("aria-labelledby") && document.getElementById(node.getAttribute("aria-labelledby")).textContent)
    || (node.labels && [...node.labels].map((label) => label.textContent).join(" ").trim());
  const seen = (node) => node.checkVisibility() && !node.closest("title, script, style, option");

  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let texts = 0;
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !seen(node)) continue;
    texts += 1;
    const style = getComputedStyle(node);
    const colour = rgba(node.closest("svg") ? style.fill : style.color);
    const found = contrast(colour, ground(node));
    if (found < 4.5) complaints.push(`contrast ${found.toFixed(2)} of ${where(node)}`);
    if (parseFloat(style.fontSize) < 12) complaints.push(`small text: ${where(node)}`);
  }
  if (texts < 100) complaints.push(`only ${texts} texts were looked at`);
  for (const node of document.querySelectorAll(".bar, .tick-median, .span")) {
    const style = getComputedStyle(node);
    const found = contrast(rgba(node.tagName === "line" ? style.stroke : style.fill), ground(node));
    if (found < 3) complaints.push(`contrast ${found.toFixed(2)} of a drawing's ${node.getAttribute("class")}`);
  }
  for (const node of document.querySelectorAll("svg:not([aria-hidden]), img")) {
    if (!(node.getAttribute("aria-label") || node.getAttribute("alt"))) complaints.push(`no name: ${where(node)}`);
    if (node.tagName === "svg" && !["img", "group"].includes(node.getAttribute("role"))) complaints.push(`no role: ${where(node)}`);
  }
  for (const node of document.querySelectorAll("button, a[href], input, select, summary, [role=button], [role=region], dialog, nav, form, section, table"))
    if (node.tagName !== "TABLE" && !name(node)) complaints.push(`no name: ${where(node)}`);
  for (const node of document.querySelectorAll("[tabindex]")) if (node.tabIndex > 0) complaints.push(`tabindex: ${where(node)}`);
  for (const node of document.querySelectorAll("button, nav a, summary, [role=button], select, input")) {
    const box = node.getBoundingClientRect();
    if (seen(node) && box.width && (box.width < 23.5 || box.height < 23.5)) complaints.push(`small target ${box.width} x ${box.height}: ${where(node)}`);
  }
  for (const node of document.querySelectorAll("th")) if (!node.scope) complaints.push(`no scope: ${where(node)}`);
  const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
  for (const id of new Set(ids)) if (ids.filter((other) => other === id).length > 1) complaints.push(`id twice: ${id}`);
  let level = 0;
  for (const node of document.querySelectorAll("h1, h2, h3, h4, h5, h6")) {
    if (Number(node.tagName[1]) > level + 1) complaints.push(`heading skips a level: ${where(node)}`);
    level = Number(node.tagName[1]);
  }
  if (document.querySelectorAll("h1").length !== 1) complaints.push("not one h1");
  for (const landmark of ["header", "nav", "main", "footer"]) if (document.querySelectorAll(landmark).length !== 1) complaints.push(`not one ${landmark}`);
  if (!document.documentElement.lang || !document.title || !document.querySelector("meta[name=viewport]")) complaints.push("no language, title or viewport");
  if (document.documentElement.scrollWidth > innerWidth) complaints.push(`the page is ${document.documentElement.scrollWidth} wide`);
  return [...new Set(complaints)].slice(0, 20);
})();
