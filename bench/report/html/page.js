"use strict";
// A printed page includes the notes that are collapsed on the screen.
addEventListener("beforeprint", () => {
  for (const group of document.querySelectorAll(".note-group")) group.open = true;
});
// One clock for every clip of the page: the frame number, in the style sheet's --t.
(() => {
  const bar = document.getElementById("clock");
  if (!bar) return;
  const root = document.documentElement;
  const [button, slider, number] = ["play", "frame", "number"].map((id) => document.getElementById(id));
  const frames = Number(slider.max);
  const rate = 10; // frames per second
  let playing = false, frame = 1, since = 0;

  const show = (next) => {
    frame = next;
    slider.value = frame;
    number.textContent = `${frame} / ${frames}`;
    root.style.setProperty("--t", frame - 1);
  };
  const tick = (now) => {
    if (!playing) return;
    const due = Math.floor((now - since) * rate / 1000);
    if (due > 0) {
      show((frame - 1 + due) % frames + 1);
      since += due * 1000 / rate;
    }
    requestAnimationFrame(tick);
  };
  const play = (wanted) => {
    if (playing === wanted) return;
    playing = wanted;
    button.textContent = playing ? "Pause" : "Play";
    since = performance.now();
    if (playing) requestAnimationFrame(tick);
  };

  button.addEventListener("click", () => play(!playing));
  slider.addEventListener("input", () => { play(false); show(Number(slider.value)); });
  document.getElementById("still").hidden = true;
  bar.hidden = false;
  show(1);
  play(!matchMedia("(prefers-reduced-motion: reduce)").matches);
})();
