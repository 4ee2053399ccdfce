// The latent map: test examples on two axes, and a point to move by mouse, finger or keys.

const LIGHT = ["#1f77b4", "#d95f02", "#1b8a3a", "#c0282d", "#7b52ab", "#7a4b32", "#c04a94", "#5f666d", "#8a8500", "#0c8599"];
const DARK = ["#6fb3e8", "#ffa04d", "#5fd07c", "#ff7b7f", "#bc9be8", "#c9987c", "#f08fcb", "#b3bac1", "#d6d04a", "#4fd0e2"];

const isDark = matchMedia("(prefers-color-scheme: dark)");

/** Return the colour of a label, by its rank. */
export const colour = (rank) => (isDark.matches ? DARK : LIGHT)[rank % LIGHT.length];

/** Show the map on a canvas; `moved([a, b])` is told where the point was moved to. Returns `place([a, b])`. */
export function latentMap(canvas, { points, labels, classes, middle, half }, moved) {
  let at = [...middle];
  let dragging = false;
  const across = (value, axis) => (0.5 + ((axis ? -1 : 1) * (value - middle[axis])) / (2 * half)) * canvas.width;
  const bound = (value, axis) => Math.min(Math.max(value, middle[axis] - half), middle[axis] + half);

  function draw() {
    const context = canvas.getContext("2d");
    const scale = canvas.width / Math.max(canvas.clientWidth, 1);
    const style = getComputedStyle(canvas);
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.globalAlpha = 0.75;
    points.forEach(([a, b], i) => {
      context.fillStyle = labels ? colour(labels[i]) : style.getPropertyValue("--edge");
      context.beginPath();
      context.arc(across(a, 0), across(b, 1), 2 * scale, 0, 2 * Math.PI);
      context.fill();
    });
    context.globalAlpha = 1;
    context.beginPath();
    context.arc(across(bound(at[0], 0), 0), across(bound(at[1], 1), 1), 8 * scale, 0, 2 * Math.PI);
    context.lineWidth = 5 * scale;
    context.strokeStyle = style.getPropertyValue("--panel");
    context.stroke();
    context.lineWidth = 2.5 * scale;
    context.strokeStyle = style.getPropertyValue("--ink");
    context.stroke();
  }

  function move(a, b) {
    at = [bound(a, 0), bound(b, 1)];
    draw();
    moved(at);
  }

  function follow(event) {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    const [right, up] = [(event.clientX - left) / width, (event.clientY - top) / height];
    move(middle[0] + (2 * right - 1) * half, middle[1] - (2 * up - 1) * half);
  }

  const release = () => {
    dragging = false;
    canvas.classList.remove("moving");
  };
  canvas.addEventListener("pointerdown", (event) => {
    dragging = true;
    canvas.setPointerCapture(event.pointerId);
    canvas.classList.add("moving");
    follow(event);
  });
  canvas.addEventListener("pointermove", (event) => dragging && follow(event));
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener("keydown", (event) => {
    const step = (event.shiftKey ? 10 : 2) * (half / 100);
    const steps = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
    if (event.key === "Home") move(...middle);
    else if (event.key in steps && !event.altKey && !event.ctrlKey && !event.metaKey) {
      move(at[0] + steps[event.key][0], at[1] + steps[event.key][1]);
    } else return;
    event.preventDefault();
  });
  new ResizeObserver(() => {
    canvas.width = canvas.height = Math.round(canvas.clientWidth * devicePixelRatio);
    draw();
  }).observe(canvas);
  isDark.addEventListener("change", draw);

  return {
    place(where) {
      at = [...where];
      draw();
    },
    /** Say what the test example nearest to the point is. */
    nearest() {
      if (!labels || !points.length) return "";
      const distance = ([a, b]) => (a - at[0]) ** 2 + (b - at[1]) ** 2;
      const best = points.reduce((found, point, i) => (distance(point) < distance(points[found]) ? i : found), 0);
      return `nearest test example: label ${classes[labels[best]]}`;
    },
  };
}
