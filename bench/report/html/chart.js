"use strict";
// Line charts over the frame number, as SVG, with the values under the pointer. Used by the curves and by the viewer.
const timelapseChart = (() => {
  const SPACE = "http://www.w3.org/2000/svg";
  const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [360, 190, 48, 8, 8, 22];

  const make = (name, attributes, parent) => {
    const element = document.createElementNS(SPACE, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (parent) parent.append(element);
    return element;
  };
  const known = (value) => typeof value === "number" && Number.isFinite(value);
  const DASHES = ["", "6 3", "6 2 1 2", "1 2", "6 2 1 2 1 2", "1 5"];
  const digits = (value, decimals) => known(value) ? value.toFixed(decimals) : "–";

  // Styles a method's line; `number` is its position among all methods, so that it looks the same in every chart.
  const stroke = (line, {colour, number}) => {
    line.style.setProperty("--colour", colour);
    line.setAttribute("stroke-dasharray", DASHES[number % DASHES.length]);
  };
  const swatch = (method) => {
    const picture = make("svg", {viewBox: "0 0 28 8", class: "swatch", "aria-hidden": "true"});
    stroke(make("path", {d: "M0 4L28 4", class: "curve"}, picture), method);
    return picture;
  };

  // About four round numbers between two values.
  const ticks = (low, high) => {
    const rough = (high - low) / 4 || 1;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough);
    const found = [];
    for (let tick = Math.ceil(low / step) * step; tick <= high + step * 1e-9; tick += step) found.push(tick);
    return [found, Math.max(0, -Math.floor(Math.log10(step)))];
  };

  // lines: [{title, colour, number, mean: [value or null], low, high}]; first: number of the first frame; bound: the
  // value of identical frames, which the scale leaves out.
  const draw = (host, {lines, decimals, first = 1, title, pick, bound}) => {
    host.replaceChildren();
    const count = Math.max(...lines.map((line) => line.mean.length));
    const values = lines.flatMap((line) => [...line.mean, ...(line.low || []), ...(line.high || [])]).filter(known);
    const below = values.filter((value) => !(value >= bound)), shown = below.length ? below : values;
    if (!shown.length) return {mark: () => {}};
    let [low, high] = [Math.min(...shown), Math.max(...shown)];
    if (low === high) [low, high] = [low - 0.5, high + 0.5];
    const x = (place) => LEFT + (WIDTH - LEFT - RIGHT) * (count > 1 ? place / (count - 1) : 0.5);
    const y = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (high - Math.min(value, high)) / (high - low);
    const picture = make("svg", {viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", tabindex: 0, "aria-label": `${title}. Arrow keys read it frame by frame.`}, host);
    const [rows, places] = ticks(low, high);
    for (const tick of rows) {
      make("line", {x1: LEFT, x2: WIDTH - RIGHT, y1: y(tick), y2: y(tick), class: "rule"}, picture);
      make("text", {x: LEFT - 5, y: y(tick) + 3.5, "text-anchor": "end"}, picture).textContent = tick.toFixed(places);
    }
    for (const place of new Set([0, Math.round((count - 1) / 2), count - 1]))
      make("text", {x: x(place), y: HEIGHT - 6, "text-anchor": "middle"}, picture).textContent = place + first;
    const path = (values) => {
      let text = "", open = false;
      values.forEach((value, place) => {
        if (known(value)) text += `${open ? "L" : "M"}${x(place).toFixed(1)} ${y(value).toFixed(1)}`;
        open = known(value);
      });
      return text;
    };
    for (const line of lines) {
      if (line.low) {
        const there = line.mean.map((_, place) => place).filter((place) => known(line.low[place]));
        const edge = [...there.map((p) => [p, line.high[p]]), ...there.reverse().map((p) => [p, line.low[p]])];
        const points = edge.map(([place, value]) => `${x(place).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
        make("polygon", {points, class: "band"}, picture).style.setProperty("--colour", line.colour);
      }
      stroke(make("path", {d: path(line.mean), class: "curve"}, picture), line);
    }
    const cursor = make("line", {y1: TOP, y2: HEIGHT - BOTTOM, class: "cursor", visibility: "hidden"}, picture);
    const text = document.createElement("p");
    text.className = "values";
    text.setAttribute("role", "status");
    host.append(text);
    let at = 0;
    const mark = (place) => {
      at = place;
      cursor.setAttribute("x1", x(place));
      cursor.setAttribute("x2", x(place));
      cursor.setAttribute("visibility", "visible");
      text.replaceChildren(`Frame ${place + first}: `);
      for (const line of lines) {
        const value = document.createElement("span");
        value.append(swatch(line), `${line.title} ${digits(line.mean[place], decimals)}`);
        text.append(value, " ");
      }
    };
    const under = (event) => {
      const box = picture.getBoundingClientRect();
      const share = ((event.clientX - box.left) / box.width * WIDTH - LEFT) / (WIDTH - LEFT - RIGHT);
      return Math.min(count - 1, Math.max(0, Math.round(share * (count - 1))));
    };
    picture.addEventListener("pointermove", (event) => mark(under(event)));
    picture.addEventListener("pointerdown", (event) => { mark(under(event)); if (pick) pick(under(event)); });
    picture.addEventListener("keydown", (event) => {
      const to = {ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: count - 1}[event.key];
      if (to === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      const place = Math.min(count - 1, Math.max(0, to));
      mark(place);
      if (pick) pick(place);
    });
    picture.addEventListener("focus", () => mark(at));
    return {mark};
  };

  return {draw, digits, known, swatch};
})();
