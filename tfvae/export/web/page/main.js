// The page: what each control does.
import { drawing } from "./drawing.js";
import { colour, latentMap } from "./map.js";
import { latest, load } from "./model.js";
import { paint } from "./paint.js";
import { slider, written } from "./sliders.js";

const find = (id) => document.getElementById(id);
const state = { ready: false }; // the last numbers, for the console: tfvae.state

async function start() {
  const [run, facts, examples] = await Promise.all([
    load("./model.tflite"),
    fetch("./page.json").then((answer) => answer.json()),
    fetch("./examples.bin").then((answer) => answer.arrayBuffer()).then((bytes) => new Float32Array(bytes)),
  ]);
  globalThis.tfvae = { run, facts, state };
  describe(facts);
  const goTo = latent(run, facts);
  const reading = reader(run, facts, goTo);
  chooser(facts, examples, facts.drawable ? drawable(facts, reading) : shown(facts, reading));
  if (!("generate" in facts.refused)) await generator(run, facts, goTo);
  await settled();
  find("status").hidden = true;
  state.ready = true;
}

function describe(facts) {
  document.title = `${facts.title} \u00b7 tfvae`;
  find("title").textContent = facts.title;
  find("main").hidden = false; // before anything is measured
  const reasons = Object.entries(facts.refused).map(([name, why]) => `Without ${name}: ${why}.`);
  find("refused").textContent = reasons.join(" ");
  document.querySelector("[aria-labelledby=generate-title]").hidden = "generate" in facts.refused;
  const scored = !("elbo" in facts.refused);
  find("numbers").hidden = !scored;
  find("p-value").parentElement.hidden = !facts.calibration;
  if (!scored) return;
  find("score-help").textContent = `The ELBO is a lower bound of log p(x), the mean over ${facts.draws} draws of z.`;
  if (!facts.calibration) return;
  find("score-help").textContent += ` The anomaly level p is the share of ${facts.calibration.scores.length} test examples with an ELBO at most as high.`;
}

let busy = Promise.resolve();
const settled = async () => {
  for (let seen; seen !== busy; ) await (seen = busy);
};
/** Remember what is being computed, so that the page can tell when it is at rest; an error is shown. */
const watched = (work) => (...values) => {
  const now = work(...values).catch(failed);
  busy = Promise.all([busy, now]);
};

/** Sliders, map and decoded image of one z; returns a function that sets it. */
function latent(run, facts) {
  const { origin, axes, coordinates } = facts.map;
  let z = Float32Array.from(origin);
  const along = (axis) => axis.reduce((sum, value, i) => sum + value * (z[i] - origin[i]), 0);
  const decode = watched(
    latest(async (now) => {
      const { mean } = await run("decode", { z: now });
      Object.assign(state, { z: now, decoded: mean });
      paint(find("decoded"), mean, facts);
    }),
  );

  function slide(where) {
    const before = axes.map(along);
    // What lies off the map's plane stays as it is.
    z = z.map((value, i) => value + axes.reduce((sum, axis, k) => sum + axis[i] * (where[k] - before[k]), 0));
    refresh();
  }

  const map = latentMap(find("map"), facts.map, slide);
  const planes = facts.map.titles.map((title, k) => {
    const limits = [facts.map.middle[k] - facts.map.half, facts.map.middle[k] + facts.map.half];
    return slider(find("axes"), `axis-${k}`, title, limits, (value) => {
      slide(axes.map((axis, other) => (other === k ? value : along(axis))));
    });
  });
  const singles = coordinates.map(({ index, low, high }) =>
    slider(find("coordinates"), `z-${index}`, `z ${index + 1}`, [low, high], (value) => {
      z = z.with ? z.with(index, value) : z.map((old, i) => (i === index ? value : old));
      refresh();
    }),
  );

  function refresh() {
    const where = [0, 1].map((k) => (axes[k] ? along(axes[k]) : 0));
    map.place(where);
    planes.forEach((set, k) => set(where[k]));
    singles.forEach((set, i) => set(z[coordinates[i].index]));
    const nearest = map.nearest();
    find("place").textContent = `Point at ${planes.map((_, k) => written(where[k])).join(", ")}${nearest && `; ${nearest}`}.`;
    decode(z.slice());
  }

  find("all-title").textContent = z.length === 1 ? "The coordinate of z" : `All ${z.length} coordinates of z, those that vary most first`;
  find("map-caption").textContent = facts.map.caption;
  find("legend").hidden = !facts.map.classes;
  for (const [rank, name] of (facts.map.classes ?? []).entries()) find("legend").append(key(rank, name));
  find("middle").addEventListener("click", () => goTo(Float32Array.from(origin)));
  const goTo = (there) => {
    z = Float32Array.from(there);
    refresh();
  };
  return goTo;
}

function key(rank, name) {
  const item = document.createElement("li");
  const [swatch, square] = ["svg", "rect"].map((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag));
  for (const side of ["width", "height"]) square.setAttribute(side, "100%");
  swatch.setAttribute("aria-hidden", "true");
  const fill = () => square.setAttribute("fill", colour(rank));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", fill);
  fill();
  swatch.append(square);
  item.append(swatch, name);
  return item;
}

/** Encode, reconstruct and score an x. */
function reader(run, facts, goTo) {
  const seed = Int32Array.from(facts.seed);
  return watched(
    latest(async (x) => {
      const [{ mean: z, stddev }, { mean }] = [await run("encode", { x }), await run("serving_default", { x })];
      Object.assign(state, { x, encoded: z, stddev, reconstruction: mean });
      paint(find("reconstruction"), mean, facts);
      goTo(z);
      if ("elbo" in facts.refused) return;
      const scored = await run("elbo", { x, seed });
      for (const name of ["elbo", "rate", "distortion"]) {
        state[name] = scored[name][0];
        find(name).textContent = written(scored[name][0]);
      }
      judge(facts.calibration, -state.elbo);
    }),
  );
}

/** p = (1 + number of calibration scores that are at least as high) / (n + 1). */
function judge(calibration, score) {
  if (!calibration) return;
  const { scores, level } = calibration;
  const p = (1 + scores.filter((other) => !(other < score)).length) / (scores.length + 1);
  state.p = p;
  find("p-value").textContent = `p = ${p < 0.01 ? p.toPrecision(1) : p.toFixed(2)}`;
  const share = `${(100 * p).toPrecision(2)}% of test examples are at least as unusual.`;
  find("verdict").textContent = p <= level ? `Unusual: only ${share}` : `Not unusual: ${share}`;
}

/** Make the drawing of the page; returns a function that shows an example there. */
function drawable(facts, reading) {
  const canvas = find("drawing");
  canvas.tabIndex = 0;
  canvas.classList.add("drawable");
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", "Drawing");
  canvas.setAttribute("aria-describedby", "draw-help");
  find("drawing-caption").textContent = `Drawing, ${facts.shape[0]} by ${facts.shape[1]} pixels as the model sees them`;
  const pad = drawing(canvas, facts, reading);
  find("clear").addEventListener("click", pad.clear);
  find("centre").addEventListener("click", pad.centre);
  find("erase").addEventListener("click", ({ currentTarget }) => {
    const on = currentTarget.getAttribute("aria-pressed") !== "true";
    currentTarget.setAttribute("aria-pressed", String(on));
    pad.erase(on);
  });
  return pad.set;
}

/** Do without drawing, for data that are no grey images. */
function shown(facts, reading) {
  find("draw-title").textContent = "Reconstruct";
  find("draw-help").textContent = "Choose a test example. There is no canvas to draw on: the data are no images with one channel.";
  find("tools").hidden = true;
  find("drawing").setAttribute("role", "img");
  find("drawing").setAttribute("aria-label", "The test example");
  find("drawing-caption").textContent = "The test example";
  find("reconstruction").setAttribute("aria-label", "Reconstruction of the test example");
  return (x) => {
    paint(find("drawing"), x, facts);
    reading(x);
  };
}

function chooser(facts, examples, show) {
  const size = facts.shape.reduce((product, length) => product * length, 1);
  const range = find("example");
  range.max = examples.length / size;
  const choose = () => {
    const number = Number(range.value);
    const label = facts.labels ? `, ${facts.labels[number - 1]}` : "";
    find("example-name").textContent = `${number} of ${range.max}${label}`;
    range.setAttribute("aria-valuetext", `${number}${label}`);
    show(examples.slice((number - 1) * size, number * size));
  };
  range.addEventListener("input", choose);
  choose();
}

async function generator(run, facts, goTo) {
  const seed = find("seed");
  const generate = latest(async (word) => {
    const { x, z } = await run("generate", { seed: Int32Array.of(word, 0) });
    const [count, size] = [facts.generated, x.length / facts.generated];
    Object.assign(state, { samples: x, drawn: z, word });
    find("samples").replaceChildren(
      ...Array.from({ length: count }, (_, i) => {
        const [item, button, canvas] = ["li", "button", "canvas"].map((tag) => document.createElement(tag));
        button.type = "button";
        button.setAttribute("aria-label", `Sample ${i + 1} of seed ${word}: put the point there`);
        paint(canvas, x.subarray(i * size, (i + 1) * size), facts);
        button.addEventListener("click", () => goTo(z.subarray((i * z.length) / count, ((i + 1) * z.length) / count)));
        button.append(canvas);
        item.append(button);
        return item;
      }),
    );
    find("python").textContent = `model.sample(${count}, seed=${word}).`;
  });
  const draw = watched(generate);
  find("generate-form").addEventListener("submit", (event) => {
    event.preventDefault();
    draw(seed.valueAsNumber);
  });
  find("next").addEventListener("click", () => {
    seed.value = seed.checkValidity() && seed.valueAsNumber < 2 ** 31 - 1 ? seed.valueAsNumber + 1 : 0;
    draw(seed.valueAsNumber);
  });
  await generate(0);
}

function failed(error) {
  find("status").hidden = false;
  find("status").textContent = `The page does not work here: ${error.message ?? error}`;
  state.failed = String(error.stack ?? error);
}

start().catch(failed);
