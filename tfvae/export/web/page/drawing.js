// The drawing: grey ink on the model's own grid, turned into data as the run's data were.
import { paint } from "./paint.js";

/** A number in (0, 1) for each place: what grey ink is compared with where the data are bits. */
function threshold(place) {
  let bits = Math.imul(place + 1, 0x9e3779b9);
  bits = Math.imul(bits ^ (bits >>> 16), 0x7feb352d);
  bits = Math.imul(bits ^ (bits >>> 15), 0x846ca68b);
  return (((bits ^ (bits >>> 16)) >>> 9) + 0.5) / 2 ** 23;
}

/** Turn ink in [0, 1] into a value of the data: a drawn bit, the nearest level, or a number in the range. */
function asData(ink, place, { range: [low, high], levels }) {
  const value = low + ink * (high - low);
  if (!levels) return value;
  if (levels.length === 2) return levels[threshold(place) < ink ? 1 : 0];
  return levels.reduce((best, level) => (Math.abs(level - value) < Math.abs(best - value) ? level : best));
}

/** Let a canvas be drawn on; `changed(x)` is told of every change. */
export function drawing(canvas, facts, changed) {
  const [height, width] = facts.shape;
  const ink = new Float32Array(height * width);
  const x = new Float32Array(height * width);
  const radius = Math.max(0.8, Math.min(height, width) / 26);
  const cursor = { row: height >> 1, column: width >> 1, shown: false };
  let erasing = false;
  let last = null;

  function show() {
    paint(canvas, x, facts);
    if (!cursor.shown) return;
    const context = canvas.getContext("2d");
    context.fillStyle = "#ff8c1a";
    context.globalAlpha = 0.75;
    context.fillRect(cursor.column, cursor.row, 1, 1);
    context.globalAlpha = 1;
  }

  function update() {
    for (let i = 0; i < x.length; i++) x[i] = asData(ink[i], i, facts);
    show();
    changed(x.slice());
  }

  function dab(row, column, erase) {
    const reach = Math.ceil(radius + 0.5);
    for (let r = Math.max(0, Math.floor(row - reach)); r <= Math.min(height - 1, row + reach); r++) {
      for (let c = Math.max(0, Math.floor(column - reach)); c <= Math.min(width - 1, column + reach); c++) {
        const cover = Math.min(Math.max(radius + 0.5 - Math.hypot(r - row, c - column), 0), 1);
        const i = r * width + c;
        ink[i] = erase ? Math.min(ink[i], 1 - cover) : Math.max(ink[i], cover);
      }
    }
  }

  function stroke(event) {
    const box = canvas.getBoundingClientRect();
    const row = ((event.clientY - box.top) / box.height) * height - 0.5;
    const column = ((event.clientX - box.left) / box.width) * width - 0.5;
    const [fromRow, fromColumn] = last ?? [row, column];
    const steps = Math.max(1, Math.ceil(4 * Math.hypot(row - fromRow, column - fromColumn)));
    for (let s = 1; s <= steps; s++) {
      dab(fromRow + ((row - fromRow) * s) / steps, fromColumn + ((column - fromColumn) * s) / steps, erasing);
    }
    last = [row, column];
    update();
  }

  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    cursor.shown = false;
    last = null;
    stroke(event);
  });
  canvas.addEventListener("pointermove", (event) => last && stroke(event));
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => (last = null));
  canvas.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key in steps) {
      cursor.shown = true;
      cursor.row = Math.min(Math.max(cursor.row + steps[event.key][0], 0), height - 1);
      cursor.column = Math.min(Math.max(cursor.column + steps[event.key][1], 0), width - 1);
      show();
    } else if (event.key === " ") {
      const i = cursor.row * width + cursor.column;
      cursor.shown = true;
      ink[i] = erasing || ink[i] > 0.5 ? 0 : 1;
      update();
    } else if (event.key === "Delete" || event.key === "Backspace") clear();
    else return;
    event.preventDefault();
  });
  canvas.addEventListener("blur", () => {
    cursor.shown = false;
    show();
  });

  function clear() {
    ink.fill(0);
    update();
  }

  /** Move the ink by whole pixels, so that its centre of mass lies where that of the data lies. */
  function centre() {
    const total = ink.reduce((sum, value) => sum + value, 0);
    if (!total) return;
    const mass = [0, 0];
    ink.forEach((value, i) => {
      mass[0] += (value * Math.floor(i / width)) / total;
      mass[1] += (value * (i % width)) / total;
    });
    const [down, right] = [0, 1].map((axis) => Math.round(facts.centre[axis] - mass[axis]));
    const before = ink.slice();
    for (let i = 0; i < ink.length; i++) {
      const [row, column] = [Math.floor(i / width) - down, (i % width) - right];
      ink[i] = row >= 0 && row < height && column >= 0 && column < width ? before[row * width + column] : 0;
    }
    update();
  }

  return {
    clear,
    centre,
    erase(on) {
      erasing = on;
    },
    /** Take over an example, value for value. */
    set(values) {
      const [low, high] = facts.range;
      values.forEach((value, i) => (ink[i] = Math.min(Math.max((value - low) / (high - low), 0), 1)));
      x.set(values);
      show();
      changed(x.slice());
    },
  };
}
