"use strict";
// One clip, enlarged: methods side by side, as a wipe or as a difference image, frame by frame.
(() => {
  const clips = timelapseClips;
  if (!clips) return;
  const {data} = clips;
  const {draw} = timelapseChart;
  const element = (id) => document.getElementById(id);
  const dialog = element("viewer");
  const [mode, metricBox, left, right, slider, wipe] =
    ["view-mode", "view-metric", "view-left", "view-right", "view-frame", "view-wipe"].map(element);
  const stage = element("view-stage");
  const RATE = 10; // frames per second
  const frames = data.count;
  let place = 0, frame = 0, playing = false, since = 0, chart = {mark: () => {}};

  const videos = [{title: "Real", files: data.real}, ...data.methods];
  slider.max = frames;
  stage.style.setProperty("--view-frames", frames);
  videos.forEach(({title}, number) => {
    left.add(new Option(title, number));
    right.add(new Option(title, number));
  });
  data.metrics.forEach(({title}, number) => metricBox.add(new Option(title, number)));

  const pane = (video, parent, label = true) => {
    const {title, files} = videos[video];
    const unit = document.createElement("div");
    unit.className = "pane";
    const picture = document.createElement("div");
    picture.className = "large";
    picture.setAttribute("role", "img");
    picture.setAttribute("aria-label", `${title}, clip ${data.clips[clips.clipAt(place)]}`);
    const address = files[clips.clipAt(place)];
    const missing = () => {
      picture.classList.add("missing");
      picture.textContent = files.length
        ? "The frames are in the folder “predictions”, which is not next to this file."
        : "The frames of this method were not kept.";
    };
    if (address) {
      const probe = new Image();
      probe.addEventListener("error", missing);
      probe.addEventListener("load", () => {
        picture.style.aspectRatio = data.count * probe.naturalWidth / probe.naturalHeight;
        picture.style.backgroundImage = `url("${address}")`;
      });
      probe.src = address;
    } else missing();
    unit.append(picture);
    if (label) {
      const name = document.createElement("span");
      const method = video - 1;
      const value = method < 0 ? "" : ` · ${clips.metric().title} ${clips.text(clips.valueOf(method, clips.clipAt(place)))}`;
      name.textContent = `${title}${value}`;
      unit.append(name);
    }
    parent.append(unit);
    return picture;
  };

  const show = (next) => {
    frame = next;
    slider.value = frame + 1;
    element("view-number").textContent = `${frame + 1} / ${frames}`;
    stage.style.setProperty("--view-t", frame);
    chart.mark(frame);
  };
  const play = (wanted) => {
    if (wanted === playing) return;
    playing = wanted;
    element("view-play").textContent = playing ? "Pause" : "Play";
    since = performance.now();
    if (playing) requestAnimationFrame(tick);
  };
  const tick = (now) => {
    if (!playing || !dialog.open) return;
    const due = Math.floor((now - since) * RATE / 1000);
    if (due > 0) { show((frame + due) % frames); since += due * 1000 / RATE; }
    requestAnimationFrame(tick);
  };

  const shownMethods = () => mode.value === "all" ? data.methods.map((_, method) => method) : clips.methods();
  const overTime = () => {
    const host = element("view-chart");
    host.replaceChildren();
    chart = {mark: () => {}};
    const {title, decimals, bound, frames: stored} = clips.metric();
    element("view-curve").textContent = stored
      ? `${title} of each frame. Choose a frame in the chart to see it.`
      : `${title} has no value for each frame here.`;
    element("view-worst").hidden = !stored;
    if (!stored) return;
    element("view-worst").textContent = `Worst frame of ${data.methods[clips.methods()[0]].title}`;
    const lines = shownMethods().map((method) => {
      const {title, colour} = data.methods[method];
      return {title, colour, number: method, mean: clips.framesOf(method, clips.clipAt(place))};
    });
    const pick = (at) => { play(false); show(at); };
    chart = draw(host, {lines, decimals, title: `${title} of this clip`, pick, bound: bound ?? Infinity});
  };

  const update = () => {
    const clip = clips.clipAt(place);
    metricBox.value = clips.metricNumber();
    element("view-title").replaceChildren("Clip ", clips.breakable(data.clips[clip]));
    element("view-video").textContent = `Source video ${data.videos[data.video[clip]]}, ${place + 1} of ${clips.count()} in the list`;
    stage.replaceChildren();
    const two = !["parallel", "all"].includes(mode.value);
    stage.className = two ? mode.value : "parallel";
    element("view-pair").hidden = !two;
    element("view-wiper").hidden = mode.value !== "wipe";
    if (two) {
      const layers = document.createElement("div");
      layers.className = "layers";
      pane(Number(left.value), layers, false);
      pane(Number(right.value), layers, false).classList.add("over");
      stage.append(layers);
    } else {
      pane(0, stage);
      for (const method of shownMethods()) pane(method + 1, stage);
    }
    overTime();
    show(frame);
  };
  const step = (by) => { place = (place + by + clips.count()) % clips.count(); update(); };

  clips.onOpen((chosen, at) => {
    place = chosen;
    frame = at;
    left.value = "0";
    right.value = String((clips.methods()[0] ?? 0) + 1);
    update();
    dialog.showModal();
  });
  metricBox.addEventListener("change", () => {
    const clip = clips.clipAt(place);
    clips.chooseMetric(metricBox.value);
    place = clips.placeOf(clip);
    update();
  });
  element("view-worst").addEventListener("click", () => {
    const worst = clips.worstFrame(clips.methods()[0], clips.clipAt(place));
    if (worst !== null) { play(false); show(worst); }
  });
  for (const box of [mode, left, right]) box.addEventListener("change", update);
  slider.addEventListener("input", () => { play(false); show(Number(slider.value) - 1); });
  wipe.addEventListener("input", () => stage.style.setProperty("--wipe", `${wipe.value}%`));
  // The wipe follows the pointer while it is pressed on the picture.
  const follow = (event) => {
    if (mode.value !== "wipe" || !event.buttons) return;
    const box = stage.firstElementChild.getBoundingClientRect();
    wipe.value = Math.min(100, Math.max(0, 100 * (event.clientX - box.left) / box.width));
    wipe.dispatchEvent(new Event("input"));
  };
  for (const kind of ["pointerdown", "pointermove"]) stage.addEventListener(kind, follow);
  element("view-play").addEventListener("click", () => play(!playing));
  element("view-before").addEventListener("click", () => step(-1));
  element("view-after").addEventListener("click", () => step(1));
  element("view-close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => play(false));
  dialog.addEventListener("keydown", (event) => {
    if (["INPUT", "SELECT"].includes(event.target.tagName)) return;
    const by = {ArrowLeft: -1, ArrowRight: 1}[event.key];
    if (!by) return;
    event.preventDefault();
    play(false);
    show(Math.min(frames - 1, Math.max(0, frame + by)));
  });
})();
