// Where the clips go, and how large they are: beside each other with the buttons below; one above the other, where
// that is larger, as on a phone; or, in a low window, beside each other between the buttons.

export const LEAST = 128; // CSS pixels of a clip's side, below which nobody is asked to judge it
const LARGEST = 512; // on all but very large screens, so that raters see about the same
const OF_HEIGHT = 0.55; // of a very large window, which is looked at from farther away
const GOOD = 224; // below this a page that is scrolled to its buttons is better than clips that are much smaller
const NEARLY = 0.8; // share of the largest size with which a layout that comes first is taken
const LAYOUTS = ["beside", "stacked", "low"];
const ALONE = "alone"; // one clip, with its buttons below

// A whole number of screen pixels for each of the clip's, where that fits: crisp, and both alike.
function whole(side, size, dots) {
  const times = Math.floor((side * dots) / size + 1e-6);
  return times >= 1 ? (times * size) / dots : side;
}

// Sizes the clips of `root`, a page with a `.pair` of two canvases, or one, of `width` × `size` pixels; returns layout and
// the clips' height in CSS pixels.
export function fit(root, { size, width }) {
  const pair = root.querySelector(".pair");
  const canvases = [...pair.querySelectorAll("canvas")];
  const buttons = [...pair.querySelectorAll("button")];
  const dots = window.devicePixelRatio || 1;
  const shape = width / size;
  const largest_side = Math.max(LARGEST, OF_HEIGHT * window.innerHeight) / Math.max(1, shape);
  const show = (layout, side) => {
    root.dataset.layout = layout;
    canvases.forEach(({ style }) => {
      style.width = `${side * shape}px`;
      style.height = `${side}px`;
      style.imageRendering = side * dots < size ? "auto" : ""; // pixels are left out else
    });
  };
  const alone = canvases.length === 1;
  const options = (alone ? [ALONE] : LAYOUTS).map((layout) => {
    show(layout, 0); // all that is left has its height now
    const gap = parseFloat(getComputedStyle(pair).columnGap) || 0;
    const beside = layout === "low" ? 3 * gap + buttons[0].offsetWidth + buttons[1].offsetWidth : gap;
    const room = (alone || layout === "stacked" ? pair.clientWidth : (pair.clientWidth - beside) / 2) / shape;
    const height = (window.innerHeight - root.offsetHeight) / (layout === "stacked" ? 2 : 1);
    return { layout, side: whole(Math.min(room, height, largest_side), size, dots) };
  });
  const largest = Math.max(...options.map((option) => option.side));
  let best = options.find((option) => option.side >= NEARLY * largest); // the first is what people know best
  if (best.side < GOOD) {
    const room = (pair.clientWidth / canvases.length - 4) / shape;
    const both = Math.min(room, window.innerHeight - 8, GOOD); // what can be seen at once
    const scrolled = whole(both, size, dots);
    if (NEARLY * scrolled > best.side) best = { layout: alone ? ALONE : "beside", side: scrolled };
  }
  show(best.layout, Math.max(0, best.side));
  return best;
}
