/* What a report does: draws at the width there is, shows claims and documents, filters, changes its theme. */
"use strict";
(() => {
  const { charts, corpora } = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  const make = (name, text, attributes = {}) => {
    const node = document.createElement(name);
    if (text !== undefined) node.textContent = text;
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    return node;
  };
  const button = (text, act, attributes) => {
    const node = make("button", text, { type: "button", ...attributes });
    node.addEventListener("click", act);
    return node;
  };
  const plural = (n, what) => `${Charts.number(n)} ${what}${n === 1 ? "" : "s"}`;
  const documents = corpora.flatMap((corpus, at) => corpus.documents.map((row) => ({ ...row, corpus: at })));
  const several = corpora.length > 1;

  // --- drawings --------------------------------------------------------------------------------------------------

  const PRINTED = 680;
  let drawnAt = new Map();

  function draw(width) {
    const focused = document.activeElement && document.activeElement.closest("svg");
    if (focused && !width) return;
    for (const place of document.querySelectorAll(".drawing")) {
      const room = width || place.clientWidth;
      if (drawnAt.get(place) === room) continue;
      drawnAt.set(place, room);
      place.replaceChildren();
      if (place.dataset.chart) {
        const data = charts[place.dataset.chart];
        Charts[data.kind](place, data, room, data.kind === "heat" ? readCell : undefined);
      } else drawClaims(place, Number(place.dataset.claims), room);
    }
  }

  const orders = {
    least: (a, b) => a.tokens_shared - b.tokens_shared || a.at - b.at,
    most: (a, b) => b.tokens_shared - a.tokens_shared || a.at - b.at,
    spec: (a, b) => a.at - b.at,
  };

  function drawClaims(place, at, width) {
    const claims = corpora[at].claims.map((claim, n) => ({ ...claim, at: n })).sort(orders[$("claim-order").value]);
    const max = Math.max(1, ...corpora.flatMap((corpus) => corpus.claims.map((claim) => claim.tokens_shared)));
    Charts.bars(place, {
      max,
      says: `Tokens of each claim of ${corpora[at].name}.`,
      rows: claims.map((claim) => ({
        label: claim.text, value: claim.tokens_shared, note: Charts.number(claim.tokens_shared), key: claim.at,
        title: `${claim.text}\n${plural(claim.expressed, "document")}, ${Charts.number(claim.tokens_shared)} tokens`,
      })),
    }, width, (claim) => showClaim(at, claim));
  }

  $("claim-order").addEventListener("change", () => {
    for (const place of document.querySelectorAll("[data-claims]")) drawnAt.delete(place);
    draw();
  });

  // --- a claim ---------------------------------------------------------------------------------------------------

  let chosenFrom = null;

  function showClaim(at, number) {
    const claim = corpora[at].claims[number];
    const known = documents.filter((row) => row.corpus === at && row.claims.includes(number));
    const context = make("blockquote", undefined, { dir: "auto" });
    context.append(make("span", claim.before, { class: "of-spec" }), make("mark", claim.text), make("span", claim.after, { class: "of-spec" }));
    const list = make("ul");
    for (const row of known) {
      const item = make("li");
      item.append(button(`${row.genre}: ${row.idea || row.doc_id}`, () => { close(false); setFilters({ corpus: at, claim: `${at}:${number}` }); read(row, true); }));
      list.append(item);
    }
    const sentence = `select doc_id, genre, idea from documents where list_contains(claims_expressed, '${claim.claim_id}')`;
    const all = make("p", "All of them: ", { class: "note" });
    all.append(make("code", `specmill query ${corpora[at].name} "${sentence}"`));
    $("claim-title").textContent = `Claim ${claim.claim_id}`;
    $("claim-body").replaceChildren(
      make("p", [...(several ? [corpora[at].name] : []), ...claim.heading_path].join(" › "), { class: "note" }),
      context,
      make("p", `${plural(claim.expressed, "document")} ${claim.expressed === 1 ? "expresses" : "express"} it, `
        + `${Charts.number(claim.planned)} ${claim.planned === 1 ? "was" : "were"} planned to. `
        + `${Charts.number(claim.tokens_shared)} tokens of airtime (${Charts.number(claim.tokens)} in whole documents).`),
      make("h3", `${plural(known.length, "document")} in this report`),
      list,
      all,
    );
    chosenFrom = chosenFrom || document.activeElement;
    if (!$("claim").open) $("claim").showModal();
    $("claim").scrollTop = 0;
  }

  function close(back = true) {
    const from = chosenFrom;
    chosenFrom = null;
    $("claim").close();
    if (back && from && from.isConnected) from.focus();
  }

  $("claim-close").addEventListener("click", () => close());
  $("claim").addEventListener("cancel", (event) => { event.preventDefault(); close(); });
  $("claim").addEventListener("click", (event) => { if (event.target === $("claim")) close(); });

  // --- the reader ------------------------------------------------------------------------------------------------

  const form = document.querySelector(".filters");
  const field = (name) => form.elements.namedItem(name);
  let shown = [];
  let current = null;

  function fillFilters() {
    const distinct = (key) => [...new Set(documents.map((row) => row[key]))].sort((a, b) => a.localeCompare(b, "en"));
    const option = (select, value, text) => select.append(make("option", text, { value }));
    if (several) corpora.forEach((corpus, at) => option(field("corpus"), at, corpus.name));
    for (const genre of distinct("genre")) option(field("genre"), genre, genre);
    for (const domain of distinct("domain")) option(field("domain"), domain, domain);
    corpora.forEach((corpus, at) => corpus.claims.forEach((claim, number) =>
      option(field("claim"), `${at}:${number}`, `${several ? `${corpus.name}: ` : ""}${Charts.shorten(claim.text, 480)}`)));
  }

  function matches(row) {
    const wanted = (name) => (field(name) ? field(name).value : "");
    const [at, claim] = wanted("claim").split(":");
    const words = wanted("text").trim().toLowerCase();
    return (wanted("corpus") === "" || row.corpus === Number(wanted("corpus")))
      && (wanted("genre") === "" || row.genre === wanted("genre"))
      && (wanted("domain") === "" || row.domain === wanted("domain"))
      && (wanted("claim") === "" || (row.corpus === Number(at) && row.claims.includes(Number(claim))))
      && (wanted("reason") === "" || row.reason === (wanted("reason") === "yes"))
      && (words === "" || `${row.text}\n${row.idea}\n${row.doc_id}`.toLowerCase().includes(words));
  }

  function filter() {
    shown = documents.filter(matches);
    $("reader-count").textContent = `${Charts.number(shown.length)} of ${plural(documents.length, "document")} of the sample`;
    $("reader-list").replaceChildren(...shown.map((row) => {
      const item = make("li");
      const choice = button(undefined, () => read(row, true));
      choice.append(
        make("span", `${row.genre}${several ? ` · ${corpora[row.corpus].name}` : ""}`, { class: "what" }),
        make("span", row.idea || row.text.slice(0, 100), { class: "about", dir: "auto" }),
      );
      item.append(choice);
      return item;
    }));
    Charts.rove([...$("reader-list").querySelectorAll("button")], 1);
    if (shown.includes(current)) mark();
    else if (shown.length) read(shown[0], false);
    else $("reader-document").replaceChildren(make("p", documents.length ? "No document of the sample fits these filters." : "This report holds no documents.", { class: "note" }));
  }

  function setFilters(values) {
    form.reset();
    for (const [name, value] of Object.entries(values)) if (field(name)) field(name).value = value;
    filter();
  }

  function readCell(at, genre, domain) {
    setFilters({ corpus: at, genre, domain });
    const focus = $("reader-list").querySelector("button") || field("genre");
    $("reader").scrollIntoView();
    focus.focus({ preventScroll: true });
  }

  function mark() {
    [...$("reader-list").querySelectorAll("button")].forEach((node, at) => {
      if (shown[at] === current) node.setAttribute("aria-current", "true");
      else node.removeAttribute("aria-current");
      node.setAttribute("tabindex", shown[at] === current ? "0" : "-1");
    });
  }

  function read(row, focus) {
    current = row;
    mark();
    const at = shown.indexOf(row);
    const twin = row.pair_id && documents.find((other) => other.pair_id === row.pair_id && other.corpus !== row.corpus);
    const chips = make("div", undefined, { class: "row" });
    row.claims.forEach((number) => chips.append(button(Charts.shorten(corpora[row.corpus].claims[number].text, 320),
      () => showClaim(row.corpus, number), { class: "chip", title: corpora[row.corpus].claims[number].text })));
    const steps = make("div", undefined, { class: "row" });
    if (at > 0) steps.append(button("Previous", () => read(shown[at - 1], true)));
    if (at >= 0 && at + 1 < shown.length) steps.append(button("Next", () => read(shown[at + 1], true)));
    if (twin) steps.append(button(`Its twin in ${corpora[twin.corpus].name}`, () => { if (!shown.includes(twin)) setFilters({}); read(twin, true); }));
    const facts = [several && corpora[row.corpus].name, row.genre, `${row.domain} › ${row.subdomain}`, row.audience && `for ${row.audience}`,
      plural(row.n_tokens, "token"), row.reason ? "gives a reason" : "gives no reason", row.doc_id, row.leaks.length && `leaks: ${row.leaks.join(", ")}`];
    const parts = [steps, make("h3", row.idea || `Document ${row.doc_id}`, { dir: "auto" }),
      make("p", facts.filter(Boolean).join(" · "), { class: "facts" })];
    if (row.claims.length) parts.push(make("p", "Expresses", { class: "note" }), chips);
    parts.push(make("div", row.text, { class: "text", dir: "auto" }));
    if (row.cut) parts.push(make("p", `${plural(row.cut, "character")} more; specmill query ${corpora[row.corpus].name} doc ${row.doc_id}`, { class: "note" }));
    $("reader-document").replaceChildren(...parts);
    if (focus) {
      $("reader-document").focus({ preventScroll: true });
      const box = $("reader-document").getBoundingClientRect();
      if (box.top < 60 || box.top > window.innerHeight * 0.6) $("reader-document").scrollIntoView();
    }
  }

  form.addEventListener("input", filter);
  $("show-all").addEventListener("click", () => setFilters({}));
  form.addEventListener("submit", (event) => event.preventDefault());

  // --- theme, width, print ---------------------------------------------------------------------------------------

  const prefersDark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (document.documentElement.dataset.theme || (prefersDark.matches ? "dark" : "light")) === "dark";
  const showTheme = () => $("theme").setAttribute("aria-pressed", isDark());
  $("theme").addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    showTheme();
  });
  prefersDark.addEventListener("change", showTheme);
  addEventListener("beforeprint", () => draw(PRINTED));
  addEventListener("afterprint", () => draw());
  new ResizeObserver(() => requestAnimationFrame(() => draw())).observe(document.body);

  showTheme();
  draw();
  fillFilters();
  filter();
})();
