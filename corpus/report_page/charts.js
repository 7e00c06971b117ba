/* Drawings of a report. Each takes (place, data) and draws into the element at the width it has. */
"use strict";
const Charts = (() => {
  const number = d3.format(",");
  const COLOURS = ["var(--bar)", "var(--second)", "var(--third)", "var(--fourth)"];
  const ROWS_A_DRAWING = 15; // a printed page holds two such drawings whole
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = `13px ${getComputedStyle(document.body).fontFamily}`;
  const span = (text) => pen.measureText(text).width;
  const widest = (texts) => Math.ceil(d3.max(texts, span) || 0);
  /* The text's beginning, so that it takes no more than so many pixels. */
  const shorten = (text, width) => {
    const line = [...text.slice(0, 1000).replace(/\s+/g, " ")];
    if (line.length === [...text].length && span(line.join("")) <= width) return line.join("");
    let [short, long] = [0, line.length];
    while (short < long) {
      const middle = Math.ceil((short + long) / 2);
      if (span(line.slice(0, middle).join("") + "…") <= width) short = middle;
      else long = middle - 1;
    }
    return line.slice(0, short).join("").trimEnd() + "…";
  };

  function canvas(place, width, height, says, interactive) {
    const svg = d3.select(place).append("svg").attr("width", width).attr("height", height)
      .attr("viewBox", [0, 0, width, height]).attr("preserveAspectRatio", "xMinYMin")
      .attr("role", interactive ? "group" : "img").attr("aria-label", says);
    if (!interactive) svg.append("title").text(says);
    return svg;
  }

  /* One tab stop for many marks: arrows move, Enter and Space choose; buttons do that of themselves. */
  function rove(nodes, columns, choose) {
    nodes.forEach((node, at) => {
      node.setAttribute("tabindex", at === 0 ? "0" : "-1");
      if (choose) node.addEventListener("click", () => choose(at, node));
      node.addEventListener("keydown", (event) => {
        const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns };
        if (choose && (event.key === "Enter" || event.key === " ")) choose(at, node);
        else if (event.key === "Home" || event.key === "End") go(event.key === "Home" ? 0 : nodes.length - 1);
        else if (event.key in steps) go(at + steps[event.key]);
        else return;
        event.preventDefault();
      });
    });
    function go(to) {
      if (to < 0 || to >= nodes.length) return;
      for (const node of nodes) node.setAttribute("tabindex", "-1");
      nodes[to].setAttribute("tabindex", "0");
      nodes[to].focus();
    }
  }

  const labelWidth = (rows, width) =>
    (width >= 560 ? Math.min(width * 0.56, widest(rows.map((row) => row.label)) + 16) : 0);

  /* Rows of a label and a strip: beside each other where there is room, else one above the other. */
  function strips(place, width, rows, says, interactive, draw) {
    const wide = width >= 560;
    const labels = labelWidth(rows, width);
    const each = wide ? 28 : 44;
    const marks = [];
    for (let from = 0; from < rows.length; from += ROWS_A_DRAWING) {
      const part = rows.slice(from, from + ROWS_A_DRAWING);
      const named = rows.length > ROWS_A_DRAWING ? `${says} Rows ${from + 1} to ${from + part.length}.` : says;
      const svg = canvas(place, width, part.length * each, named, interactive);
      part.forEach((row, at) => {
        const mark = svg.append("g").attr("transform", `translate(0,${at * each})`);
        mark.append("rect").attr("class", "ring").attr("x", 2).attr("y", 2).attr("rx", 3)
          .attr("width", width - 4).attr("height", each - 4);
        mark.append("text").attr("x", 4).attr("y", wide ? each / 2 : 15).attr("dy", wide ? "0.35em" : 0)
          .text(shorten(row.label, (wide ? labels : width) - 8));
        draw(mark, row, labels + 6, width - 6, wide ? each / 2 : 30, wide);
        if (row.title) mark.append("title").text(row.title);
        marks.push(mark.node());
      });
    }
    return marks;
  }

  function bars(place, data, width, choose) {
    const room = 14 + widest(data.rows.map((row) => row.note));
    const marks = strips(place, width, data.rows, data.says, Boolean(choose), (mark, row, left, right, middle, wide) => {
      const x = d3.scaleLinear([0, data.max || 1], [left, right - room]);
      mark.append("rect").attr("class", "track").attr("x", left).attr("y", middle - 6).attr("rx", 2)
        .attr("width", x.range()[1] - left).attr("height", 12);
      mark.append("rect").attr("class", "bar").attr("x", left).attr("y", middle - 6).attr("rx", 2)
        .attr("width", Math.max(row.value ? 1 : 0, x(row.value) - left)).attr("height", 12);
      mark.append("text").attr("class", "soft").attr("x", right).attr("y", middle).attr("dy", "0.35em")
        .attr("text-anchor", "end").text(row.note);
    });
    if (!choose) return;
    marks.forEach((node) => { // its title, or else its text, is its name
      node.setAttribute("class", "choice");
      node.setAttribute("role", "button");
    });
    rove(marks, 1, (at) => choose(data.rows[at].key));
  }

  function axis(svg, scale, y, ticks) {
    svg.append("g").attr("class", "axis").attr("transform", `translate(0,${y})`).attr("aria-hidden", "true")
      .call(d3.axisBottom(scale).ticks(ticks).tickSizeOuter(0)).attr("font-family", null).attr("font-size", null);
  }

  function histogram(place, data, width) {
    const [left, height] = [18 + span(number(2 * data.max)), 220];
    const svg = canvas(place, width, height, data.says, false);
    const last = data.rows[data.rows.length - 1];
    const x = d3.scaleLinear([0, last.to], [left, width - 24]);
    const y = d3.scaleLinear([0, data.max || 1], [height - 40, 8]).nice(4);
    svg.append("g").attr("class", "axis").attr("transform", `translate(${left},0)`)
      .call(d3.axisLeft(y).ticks(4, ",d").tickSizeOuter(0)).attr("font-family", null).attr("font-size", null);
    svg.selectAll(".bar").data(data.rows).join("rect").attr("class", "bar")
      .attr("x", (row) => x(row.from) + 1).attr("width", (row) => Math.max(1, x(row.to) - x(row.from) - 1))
      .attr("y", (row) => y(row.documents)).attr("height", (row) => y(0) - y(row.documents))
      .append("title").text((row) => row === last
        ? `${number(row.from)} ${data.unit} and more: ${number(row.documents)} documents`
        : `${number(row.from)} to ${number(row.to - 1)} ${data.unit}: ${number(row.documents)} documents`);
    axis(svg, x, height - 40, Math.max(3, Math.min(8, width / 80)));
    svg.append("text").attr("class", "soft").attr("x", width - 24).attr("y", height - 4).attr("text-anchor", "end")
      .text(`${data.unit} of a document`);
  }

  function ranges(place, data, width) {
    const labels = Math.min(width * 0.42, 12 + widest(data.rows.map((row) => row.genre)));
    const each = 20;
    for (let from = 0; from < data.rows.length; from += 50) {
      const part = data.rows.slice(from, from + 50);
      const svg = canvas(place, width, part.length * each + 42, data.says, false);
      const x = d3.scaleLinear([0, data.max || 1], [labels, width - 16]);
      part.forEach((row, at) => {
        const y = at * each + each / 2;
        const mark = svg.append("g");
        mark.append("text").attr("x", labels - 8).attr("y", y).attr("dy", "0.35em").attr("text-anchor", "end")
          .text(shorten(row.genre, labels - 8));
        mark.append("line").attr("class", "span").attr("x1", x(row.p5)).attr("x2", x(row.p95)).attr("y1", y).attr("y2", y);
        mark.append("rect").attr("class", "bar").attr("x", x(row.p25)).attr("y", y - 5)
          .attr("width", Math.max(1, x(row.p75) - x(row.p25))).attr("height", 10);
        mark.append("line").attr("class", "tick-median").attr("x1", x(row.median)).attr("x2", x(row.median))
          .attr("y1", y - 7).attr("y2", y + 7);
        mark.append("title").text(`${row.genre}: median ${number(row.median)}, half of ${number(row.documents)} `
          + `documents from ${number(row.p25)} to ${number(row.p75)}, nine tenths from ${number(row.p5)} to ${number(row.p95)} tokens`);
      });
      axis(svg, x, part.length * each + 2, Math.max(3, Math.min(8, (width - labels) / 80)));
      svg.append("text").attr("class", "soft").attr("x", width - 16).attr("y", part.length * each + 38)
        .attr("text-anchor", "end").text("tokens: 5th, 25th, 50th, 75th, 95th percentile");
    }
  }

  function heat(place, data, width, choose) {
    const genres = data.genres, domains = data.domains;
    const labels = Math.min(width * 0.36, 14 + widest(genres));
    const slope = Math.PI / 4.5;
    const heads = domains.map((domain, column) => shorten(domain, width >= 560 ? 240
      : Math.max(70, Math.min(150, (width - labels - 24 * (column + 0.5) - 8) / Math.cos(slope)))));
    const top = 20 + widest(heads) * Math.sin(slope);
    const behind = heads.map((head) => 6 + span(head) * Math.cos(slope)); // what a head takes to its right
    const cell = Math.max(24, Math.min(96, (width - labels - 2) / Math.max(1, domains.length),
      ...behind.map((taken, column) => (width - labels - taken) / (column + 0.5))));
    const each = 24;
    const all = Math.max(width, labels + cell * domains.length + 2,
      ...behind.map((taken, column) => labels + cell * (column + 0.5) + taken));
    const svg = canvas(place, all, top + genres.length * each + 4, data.says, true);
    domains.forEach((domain, column) => {
      const text = svg.append("text").attr("class", "soft").attr("transform",
        `translate(${labels + cell * (column + 0.5)},${top - 6}) rotate(${-slope * 180 / Math.PI})`)
        .text(heads[column]);
      text.append("title").text(domain);
    });
    const filled = data.cells.flat().filter(Boolean);
    const format = [number, d3.format(".2~s")].find((form) => widest(filled.map(form)) < cell); // else colours only
    const marks = [];
    genres.forEach((genre, line) => {
      svg.append("text").attr("x", labels - 8).attr("y", top + each * (line + 0.5)).attr("dy", "0.35em")
        .attr("text-anchor", "end").text(shorten(genre, labels - 12));
      domains.forEach((domain, column) => {
        const documents = data.cells[line][column];
        const mark = svg.append("g").attr("class", "choice").attr("role", "button") // its title is its name
          .attr("transform", `translate(${labels + cell * column},${top + each * line})`);
        const strength = Math.round(100 * documents / (data.max || 1));
        mark.append("rect").attr("class", "cell").attr("width", cell).attr("height", each)
          .style("fill", `color-mix(in oklab, var(--heat) ${strength}%, var(--surface))`);
        mark.append("rect").attr("class", "ring").attr("x", 1.5).attr("y", 1.5).attr("width", cell - 3).attr("height", each - 3);
        if (documents && format) mark.append("text").attr("class", "cell-text").attr("x", cell / 2).attr("y", each / 2)
          .text(format(documents));
        mark.append("title").text(`${genre}, ${domain}: ${number(documents)} documents`);
        marks.push(mark.node());
      });
    });
    rove(marks, Math.max(1, domains.length), (at) =>
      choose(data.corpus, genres[Math.floor(at / domains.length)], domains[at % domains.length]));
  }

  function symbol(at, human) {
    return d3.symbol(at === human ? d3.symbolDiamond : d3.symbolsFill[[0, 3, 5, 2][at % 4]] || d3.symbolCircle, at === human ? 80 : 75)();
  }

  function dots(place, data, width) {
    const colour = (at) => (at === data.human ? "var(--human)" : COLOURS[at % COLOURS.length]);
    const legend = d3.select(place).append("ul").attr("class", "legend");
    data.series.forEach((name, at) => {
      const item = legend.append("li");
      item.append("svg").attr("width", 16).attr("height", 16).attr("aria-hidden", "true").append("path")
        .attr("transform", "translate(8,8)").attr("d", symbol(at, data.human)).style("fill", colour(at));
      item.append("span").text(name);
    });
    strips(place, width, data.rows, data.says, false, (mark, row, left, right, middle) => {
      const x = d3.scaleLinear([0, 1], [left + 8, right - 8]);
      mark.append("rect").attr("class", "track").attr("x", left).attr("y", middle - 1).attr("width", right - left).attr("height", 2);
      for (const end of [0, 0.5, 1]) mark.append("rect").attr("class", "track").attr("x", x(end) - 1).attr("y", middle - 6)
        .attr("width", 2).attr("height", 12);
      row.values.forEach((value, at) => {
        mark.append("path").attr("transform", `translate(${x(value)},${middle})`).attr("d", symbol(at, data.human))
          .style("fill", colour(at)).style("fill-opacity", 0.9);
      });
      mark.append("title").text(row.values.map((value, at) => `${data.series[at]}: ${d3.format(".3f")(value)}`).join("\n"));
    });
    const svg = canvas(place, width, 22, "Scale from 0 to 1", false);
    const left = labelWidth(data.rows, width) + 6;
    const x = d3.scaleLinear([0, 1], [left + 8, width - 14]);
    for (const end of [0, 0.5, 1]) svg.append("text").attr("class", "soft").attr("x", x(end)).attr("y", 14)
      .attr("text-anchor", "middle").text(end);
  }

  return { bars, histogram, ranges, heat, dots, rove, shorten, number };
})();
