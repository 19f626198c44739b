// The layout and the size of the clips. They are side by side with the buttons below, or one above the other if that
// makes them larger, as on a phone. In a low window, they are side by side between the buttons.

export const LEAST = 128; // smallest side of a clip in CSS pixels; smaller clips are not judged
const LARGEST = 512; // largest side on all but very large screens, so that raters see clips of about the same size
const OF_HEIGHT = 0.55; // share of a very large window's height, because people sit farther away from it
const GOOD = 224; // below this size, scrolling to the buttons is better than showing much smaller clips
const NEARLY = 0.8; // share of the largest size at which a layout earlier in the list is preferred
const LAYOUTS = ["beside", "stacked", "low"];
const ALONE = "alone"; // one clip, with its buttons below

// The side with a whole number of screen pixels per clip pixel, if that fits: clips look crisp, and both look alike.
function whole(side, size, dots) {
  const times = Math.floor((side * dots) / size + 1e-6);
  return times >= 1 ? (times * size) / dots : side;
}

// Sets the size of the clips of `root`, a page with a `.pair` of one or two canvases of `width` × `size` pixels.
// Returns the layout and the clips' height in CSS pixels.
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
      style.imageRendering = side * dots < size ? "auto" : ""; // otherwise, some pixels would be dropped
    });
  };
  const alone = canvases.length === 1;
  const options = (alone ? [ALONE] : LAYOUTS).map((layout) => {
    show(layout, 0); // without clips, the page's height is that of everything else
    const gap = parseFloat(getComputedStyle(pair).columnGap) || 0;
    const beside = layout === "low" ? 3 * gap + buttons[0].offsetWidth + buttons[1].offsetWidth : gap;
    const room = (alone || layout === "stacked" ? pair.clientWidth : (pair.clientWidth - beside) / 2) / shape;
    const height = (window.innerHeight - root.offsetHeight) / (layout === "stacked" ? 2 : 1);
    return { layout, side: whole(Math.min(room, height, largest_side), size, dots) };
  });
  const largest = Math.max(...options.map((option) => option.side));
  let best = options.find((option) => option.side >= NEARLY * largest); // people know the first layout best
  if (best.side < GOOD) {
    const room = (pair.clientWidth / canvases.length - 4) / shape;
    const both = Math.min(room, window.innerHeight - 8, GOOD); // visible at once, without scrolling
    const scrolled = whole(both, size, dots);
    if (NEARLY * scrolled > best.side) best = { layout: alone ? ALONE : "beside", side: scrolled };
  }
  show(best.layout, Math.max(0, best.side));
  return best;
}
