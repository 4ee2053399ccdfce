// Rows of label, range and value.

const STEPS = 200;

/** Write a number with a true minus sign. */
export const written = (value, digits = 2) => value.toFixed(digits).replace(/^-(?=[0.]*$)/, "").replace("-", "\u2212");

/** Add a slider to a grid; `moved(value)` is told of every move. Returns a function that sets its value. */
export function slider(grid, id, title, [low, high], moved) {
  const label = document.createElement("label");
  const range = document.createElement("input");
  const value = document.createElement("output");
  Object.assign(label, { htmlFor: id, textContent: title });
  Object.assign(range, { type: "range", id, min: 0, max: STEPS, step: 1 }); // whole steps, which end at the ends
  value.htmlFor = id;
  value.setAttribute("aria-live", "off"); // the range itself says its value
  grid.append(label, range, value);
  const say = (number) => {
    value.textContent = written(number);
    range.setAttribute("aria-valuetext", written(number));
  };
  range.addEventListener("input", () => {
    const number = low + ((high - low) * Number(range.value)) / STEPS;
    moved(number);
    say(number);
  });
  return (number) => {
    range.value = Math.round((STEPS * (number - low)) / (high - low));
    say(number);
  };
}
