"use strict";
// The list of all clips: sorted by a metric or by the difference of two methods, and filtered by source video.
const timelapseClips = (() => {
  const source = document.getElementById("data");
  if (!source) return null;
  const data = JSON.parse(source.textContent);
  const {digits, known, draw} = timelapseChart;
  const AT_ONCE = 50;
  const element = (id) => document.getElementById(id);
  const [metricBox, oneBox, otherBox, orderBox, videoBox] =
    ["by-metric", "by-method", "by-other", "by-order", "by-video"].map(element);
  const body = element("clip-rows");
  let shown = AT_ONCE, listed = [], open = () => {};

  const options = (box, entries) => {
    for (const [value, text] of entries) box.add(new Option(text, value));
  };
  const number = (value) => value === "inf" ? Infinity : value;
  const metric = () => data.metrics[metricBox.value];
  // The smaller, the better; null where there is no value.
  const rank = (value) => {
    if (value === null || value === undefined) return null;
    const {direction} = metric();
    if (direction === "one") return value > 0 ? Math.abs(Math.log(value)) : Infinity;
    return direction === "lower" ? number(value) : -number(value);
  };
  const text = (value) => value === "inf" ? "∞" : digits(value, metric().decimals);
  // By how much the first method is better than the second; negative where it is worse.
  const lead = (clip) => {
    const [one, other] = [rank(valueOf(oneBox.value, clip)), rank(valueOf(otherBox.value, clip))];
    return one === null || other === null || one === other ? (one === null || other === null ? null : 0) : other - one;
  };
  const valueOf = (method, clip) => method === "" ? undefined : metric().values[method][clip];
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
    name: (one, other) => one - other,
  };
  const titleOf = (method) => data.methods[method]?.title ?? "";

  const cell = (row, content, head = false) => {
    const made = document.createElement(head ? "th" : "td");
    if (head) made.scope = "row";
    made.append(content);
    row.append(made);
  };
  const update = () => {
    const pair = otherBox.value !== "";
    if (!pair && ["ahead", "behind"].includes(orderBox.value)) orderBox.value = "worst";
    for (const option of orderBox.options) option.disabled = !pair && ["ahead", "behind"].includes(option.value);
    listed = data.clips.map((_, clip) => clip)
      .filter((clip) => videoBox.value === "" || data.video[clip] === Number(videoBox.value))
      .sort(orders[orderBox.value]);
    element("head-one").textContent = titleOf(oneBox.value);
    element("head-other").textContent = titleOf(otherBox.value);
    element("clip-table").classList.toggle("single", !pair);
    body.replaceChildren();
    for (const [place, clip] of listed.slice(0, shown).entries()) {
      const row = document.createElement("tr");
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = data.clips[clip];
      button.addEventListener("click", () => open(place));
      cell(row, button, true);
      cell(row, data.videos[data.video[clip]]);
      const [one, other] = [valueOf(oneBox.value, clip), valueOf(otherBox.value, clip)];
      cell(row, text(one));
      if (pair) {
        cell(row, text(other));
        cell(row, known(one) && known(other) ? digits(one - other, metric().decimals) : "–");
      }
      body.append(row);
    }
    element("clip-count").textContent = `${Math.min(shown, listed.length)} of ${listed.length} clips. ${overVideos()}`;
    element("clip-more").hidden = shown >= listed.length;
  };
  // Whether a difference holds over source videos: in how many of them the first method is better on average.
  const overVideos = () => {
    if (otherBox.value === "" || data.videos.length < 2) return "";
    const sums = data.videos.map(() => [0, 0]);
    data.clips.forEach((_, clip) => {
      const value = lead(clip);
      if (value !== null && Number.isFinite(value)) { sums[data.video[clip]][0] += value; sums[data.video[clip]][1] += 1; }
    });
    const means = sums.filter(([, count]) => count).map(([sum, count]) => sum / count);
    const better = means.filter((mean) => mean > 0).length, worse = means.filter((mean) => mean < 0).length;
    return `On average over its clips, ${titleOf(oneBox.value)} is better than ${titleOf(otherBox.value)} in ${better} ` +
      `of ${means.length} source videos and worse in ${worse}. The table above says whether a difference is significant.`;
  };

  options(metricBox, data.metrics.map(({title}, place) => [place, title]));
  options(oneBox, data.methods.map(({title}, place) => [place, title]));
  options(otherBox, [["", "nothing"], ...data.methods.map(({title}, place) => [place, title])]);
  options(videoBox, [["", "all"], ...data.videos.map((video, place) => [place, video])]);
  otherBox.value = data.methods.length > 1 ? "1" : "";
  for (const box of [metricBox, oneBox, otherBox, orderBox, videoBox])
    box.addEventListener("change", () => { shown = AT_ONCE; update(); });
  element("browse").addEventListener("submit", (event) => event.preventDefault());
  element("clip-more").addEventListener("click", () => { shown += AT_ONCE; update(); });
  element("clips-section").hidden = false;
  for (const link of document.querySelectorAll("a[href='#clips']")) link.hidden = false;
  update();

  // Curves over the frame number, in place of their picture.
  const host = element("live-curves");
  for (const {name, title, head, decimals} of data.metrics) {
    const curves = data.curves[name];
    if (!host || !curves) continue;
    const figure = document.createElement("div");
    const heading = document.createElement("h4");
    heading.textContent = head;
    const chart = document.createElement("div");
    chart.className = "chart";
    figure.append(heading, chart);
    host.append(figure);
    const lines = data.methods.filter((method) => curves[method.name])
      .map((method) => ({title: method.title, colour: method.colour, ...curves[method.name]}));
    draw(chart, {lines, decimals, title: `${title} over the frame number`});
  }
  if (host && host.childElementCount) {
    const legend = document.createElement("p");
    legend.className = "legend names";
    for (const {title, colour} of data.methods) {
      const entry = document.createElement("span");
      entry.style.setProperty("--colour", colour);
      entry.textContent = title;
      legend.append(entry);
    }
    host.before(legend);
    document.documentElement.classList.add("live");
  }

  return {
    data, metric, text, valueOf,
    methods: () => [oneBox.value, otherBox.value].filter((method) => method !== "").map(Number),
    clipAt: (place) => listed[place],
    count: () => listed.length,
    onOpen: (callback) => { open = callback; },
  };
})();
