"use strict";
// The list of all clips, sorted by a metric or by the difference of two methods, and filtered by source video.
const timelapseClips = (() => {
  const source = document.getElementById("data");
  if (!source) return null;
  const data = JSON.parse(source.textContent);
  const {digits, known, draw, swatch} = timelapseChart;
  const AT_ONCE = 50;
  const element = (id) => document.getElementById(id);
  const [metricBox, oneBox, otherBox, orderBox, videoBox] =
    ["by-metric", "by-method", "by-other", "by-order", "by-video"].map(element);
  const section = element("clips-section");
  let shown = AT_ONCE, listed = [], open = () => {};

  const options = (box, entries) => {
    for (const [value, text] of entries) box.add(new Option(text, value));
  };
  const number = (value) => value === "inf" ? Infinity : value;
  const metric = () => data.metrics[metricBox.value];
  // The key by which values are ranked: lower is better; null if there is no value.
  const rank = (value) => {
    if (value === null || value === undefined) return null;
    const {direction} = metric();
    if (direction === "one") return value > 0 ? Math.abs(Math.log(number(value))) : Infinity;
    return direction === "lower" ? number(value) : -number(value);
  };
  const text = (value) => value === "inf" ? "∞" : digits(value, metric().decimals);
  // How much better the first method is than the second; negative if it is worse.
  const lead = (clip) => {
    const [one, other] = [rank(valueOf(oneBox.value, clip)), rank(valueOf(otherBox.value, clip))];
    if (one === null || other === null) return null;
    return one === other ? 0 : other - one;
  };
  const valueOf = (method, clip) => method === "" ? undefined : metric().values[method][clip];
  // A method's values of a clip over the frame number; null if the page has none.
  const framesOf = (method, clip) => {
    const stored = metric().frames;
    if (!stored) return null;
    if (!stored.steps) {
      const bytes = Uint8Array.from(atob(stored.data), (letter) => letter.charCodeAt(0));
      stored.steps = new DataView(bytes.buffer);
    }
    const start = (method * data.clips.length + clip) * stored.count;
    return Array.from({length: stored.count}, (_, at) => {
      const step = stored.steps.getUint16(2 * (start + at), true);
      return step === 65535 ? null : stored.low + (stored.high - stored.low) * step / 65534;
    });
  };
  // The frame at which a method is worst, counted from 0; null if no frame has a value.
  const worstFrame = (method, clip) => {
    let [worst, found] = [-Infinity, null];
    (framesOf(method, clip) || []).forEach((value, frame) => {
      const badness = rank(value);
      if (badness !== null && badness > worst) [worst, found] = [badness, frame];
    });
    return found;
  };
  const byKey = (key, sign) => (one, other) => {
    const [a, b] = [key(one), key(other)];
    if (a === null || b === null) return (a === null) - (b === null);
    return a === b ? one - other : sign * (a < b ? -1 : 1);
  };
  const orders = {
    worst: byKey((clip) => rank(valueOf(oneBox.value, clip)), -1),
    best: byKey((clip) => rank(valueOf(oneBox.value, clip)), 1),
    ahead: byKey(lead, -1),
    behind: byKey(lead, 1),
    "other-worst": byKey((clip) => rank(valueOf(otherBox.value, clip)), -1),
    "other-best": byKey((clip) => rank(valueOf(otherBox.value, clip)), 1),
    name: (one, other) => one - other,
  };
  const OF_A_PAIR = ["ahead", "behind", "other-worst", "other-best"];
  // The two orders of a column; the first click on its head chooses the first one.
  const BY_HEAD = {
    clip: ["name", "name"], one: ["worst", "best"], other: ["other-worst", "other-best"], difference: ["ahead", "behind"],
  };
  const titleOf = (method) => data.methods[method]?.title ?? "";

  // A name that may wrap after the separators between its words.
  const breakable = (name) => {
    const parts = document.createDocumentFragment();
    for (const part of name.split(/(?<=[_/-])(?![_/-])/)) parts.append(part, document.createElement("wbr"));
    return parts;
  };
  const cell = (row, content, kind = "", head = false) => {
    const made = document.createElement(head ? "th" : "td");
    if (head) made.scope = "row";
    if (kind) made.className = kind;
    made.append(content);
    row.append(made);
  };
  const button = (content, pressed) => {
    const made = document.createElement("button");
    made.type = "button";
    made.append(content);
    made.addEventListener("click", pressed);
    return made;
  };
  // Values of both methods and their difference; the better value is bold.
  const values = (row, one, other) => {
    const [a, b] = [rank(one), rank(other)];
    const two = otherBox.value !== "" && a !== null && b !== null;
    cell(row, text(one), two && a < b ? "better" : "");
    cell(row, text(other), `pair${two && b < a ? " better" : ""}`);
    cell(row, known(one) && known(other) ? digits(one - other, metric().decimals) : "–", "pair");
  };

  const nameHeads = () => {
    const [one, other] = [titleOf(oneBox.value), titleOf(otherBox.value)];
    const words = {
      worst: `${one}: worst first`, best: `${one}: best first`,
      ahead: `${one} ahead of ${other} most`, behind: `${one} behind ${other} most`,
      "other-worst": `${other}: worst first`, "other-best": `${other}: best first`, name: "by clip",
    };
    for (const option of orderBox.options) {
      option.textContent = words[option.value];
      option.hidden = option.disabled = otherBox.value === "" && OF_A_PAIR.includes(option.value);
    }
    const heads = {clip: "Clip", one, other, difference: `${one} − ${other}`};
    for (const [key, title] of Object.entries(heads))
      for (const head of section.querySelectorAll(`[data-head=${key}]`)) head.textContent = title;
    for (const [key, [down, up]] of Object.entries(BY_HEAD)) {
      const head = element("clip-table").querySelector(`[data-head=${key}]`).closest("th");
      const place = orderBox.value;
      // "worst first" is descending if lower values are better.
      const falling = (place === down) === (metric().direction !== "higher") !== (key === "difference");
      if (![down, up].includes(place)) head.removeAttribute("aria-sort");
      else head.ariaSort = key === "clip" ? "ascending" : metric().direction === "one" ? "other" : falling ? "descending" : "ascending";
    }
  };
  const update = () => {
    const pair = otherBox.value !== "";
    if (!pair && OF_A_PAIR.includes(orderBox.value)) orderBox.value = "worst";
    nameHeads();
    listed = data.clips.map((_, clip) => clip)
      .filter((clip) => videoBox.value === "" || data.video[clip] === Number(videoBox.value))
      .sort(orders[orderBox.value]);
    section.classList.toggle("single", !pair);
    section.classList.toggle("timeless", !metric().frames);
    const body = element("clip-rows");
    body.replaceChildren();
    for (const [place, clip] of listed.slice(0, shown).entries()) {
      const row = document.createElement("tr");
      cell(row, button(breakable(data.clips[clip]), () => open(place, 0)), "", true);
      cell(row, data.videos[data.video[clip]]);
      values(row, valueOf(oneBox.value, clip), valueOf(otherBox.value, clip));
      const frame = worstFrame(Number(oneBox.value), clip);
      const jump = frame === null ? "–" : button(String(frame + 1), () => open(place, frame));
      if (frame !== null) jump.setAttribute("aria-label", `Frame ${frame + 1} of clip ${data.clips[clip]}`);
      cell(row, jump, "frame");
      body.append(row);
    }
    element("clip-count").textContent = `${Math.min(shown, listed.length)} of ${listed.length} clips.`;
    element("clip-more").hidden = shown >= listed.length;
    compareVideos();
  };
  // Shows whether a difference is consistent over source videos: its interval, and the means of each video.
  const compareVideos = () => {
    const several = otherBox.value !== "" && otherBox.value !== oneBox.value && data.videos.length > 1;
    element("clip-verdict").hidden = !several;
    element("clip-videos").hidden = !several || data.videos.length === data.clips.length;
    if (!several) return;
    const sums = data.videos.map((_, video) => ({video, lead: 0, one: 0, other: 0, count: 0}));
    data.clips.forEach((_, clip) => {
      const [value, one, other] = [lead(clip), valueOf(oneBox.value, clip), valueOf(otherBox.value, clip)];
      if (value === null || !Number.isFinite(value) || !known(one) || !known(other)) return;
      const sum = sums[data.video[clip]];
      sum.lead += value; sum.one += one; sum.other += other; sum.count += 1;
    });
    const means = sums.filter(({count}) => count)
      .map(({video, count, ...sum}) => ({video, count, lead: sum.lead / count, one: sum.one / count, other: sum.other / count}))
      .sort((a, b) => b.lead - a.lead);
    const better = means.filter((mean) => mean.lead > 0).length, worse = means.filter((mean) => mean.lead < 0).length;
    const [one, other] = [titleOf(oneBox.value), titleOf(otherBox.value)];
    element("clip-verdict").textContent = `${interval(one, other)}On average over its clips, ${one} is better than ` +
      `${other} in ${better} of ${means.length} source videos and worse in ${worse}.`;
    const body = element("video-rows");
    body.replaceChildren();
    for (const mean of means) {
      const row = document.createElement("tr");
      const choose = button(breakable(data.videos[mean.video]), () => {
        videoBox.value = mean.video;
        videoBox.dispatchEvent(new Event("change"));
        videoBox.focus();
      });
      cell(row, choose, "", true);
      cell(row, String(mean.count));
      values(row, mean.one, mean.other);
      body.append(row);
    }
  };
  const interval = (one, other) => {
    const [first, second] = [Number(oneBox.value), Number(otherBox.value)];
    const found = metric().pairs[Math.min(first, second)][Math.max(first, second)];
    if (!found) return "";
    let [mean, low, high] = found;
    if (first > second) [mean, low, high] = [-mean, high === null ? null : -high, low === null ? null : -low];
    const of = metric().direction === "one" ? `${metric().title}’s distance from 1 (absolute logarithm), ` : `${metric().title}, `;
    const range = known(low) && known(high) ? ` [${digits(low, metric().decimals)}, ${digits(high, metric().decimals)}]` : "";
    const holds = !range ? "" : low > 0 || high < 0
      ? " The 95 % interval over source videos excludes 0 (not corrected for other comparisons)."
      : " The 95 % interval over source videos includes 0, so the difference is inconclusive.";
    return `${of}${one} − ${other}: ${digits(mean, metric().decimals)}${range} over all clips.${holds} `;
  };

  options(metricBox, data.metrics.map(({title}, place) => [place, title]));
  options(oneBox, data.methods.map(({title}, place) => [place, title]));
  options(otherBox, [["", "nothing"], ...data.methods.map(({title}, place) => [place, title])]);
  options(orderBox, Object.keys(orders).map((order) => [order, order]));
  options(videoBox, [["", "all"], ...data.videos.map((video, place) => [place, video])]);
  otherBox.value = data.methods.length > 1 ? "1" : "";
  for (const box of [metricBox, oneBox, otherBox, orderBox, videoBox])
    box.addEventListener("change", () => { shown = AT_ONCE; update(); });
  const order = (first, second) => {
    orderBox.value = orderBox.value === first ? second : first;
    orderBox.dispatchEvent(new Event("change"));
  };
  for (const head of element("clip-table").tHead.querySelectorAll("[data-head]"))
    head.addEventListener("click", () => order(...BY_HEAD[head.dataset.head]));
  element("browse").addEventListener("submit", (event) => event.preventDefault());
  element("clip-more").addEventListener("click", () => { shown += AT_ONCE; update(); });
  section.hidden = false;
  for (const link of document.querySelectorAll("a[href='#clips']")) link.hidden = false;
  update();

  // Interactive curves over the frame number, in place of the still picture.
  const host = element("live-curves");
  for (const {name, title, head, decimals, bound} of data.metrics) {
    const curves = data.curves[name];
    if (!host || !curves) continue;
    const figure = document.createElement("div");
    const heading = document.createElement("h4");
    heading.textContent = head;
    const chart = document.createElement("div");
    chart.className = "chart";
    figure.append(heading, chart);
    host.append(figure);
    const lines = data.methods.map((method, place) => ({...method, number: place})).filter((method) => curves[method.name])
      .map((method) => ({title: method.title, colour: method.colour, number: method.number, ...curves[method.name]}));
    draw(chart, {lines, decimals, title: `${title} over the frame number`, bound: bound ?? Infinity});
  }
  if (host && host.childElementCount) {
    const legend = document.createElement("p");
    legend.className = "legend names";
    data.methods.forEach(({title, colour}, place) => {
      const entry = document.createElement("span");
      entry.append(swatch({colour, number: place}), title);
      legend.append(entry);
    });
    host.before(legend);
    document.documentElement.classList.add("live");
  }

  return {
    data, metric, text, valueOf, framesOf, worstFrame, breakable,
    methods: () => [oneBox.value, otherBox.value].filter((method) => method !== "").map(Number),
    clipAt: (place) => listed[place],
    placeOf: (clip) => listed.indexOf(clip),
    count: () => listed.length,
    metricNumber: () => metricBox.value,
    chooseMetric: (place) => { metricBox.value = place; metricBox.dispatchEvent(new Event("change")); },
    onOpen: (callback) => { open = callback; },
  };
})();
