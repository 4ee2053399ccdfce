// The model's file on LiteRT.js: functions from typed arrays to typed arrays.
import { Tensor, loadAndCompile, loadLiteRt } from "@litertjs/core";

// One build for every browser: the one without relaxed SIMD, so that all compute the same numbers.
const RUNTIME = "./runtime/@litertjs/core/wasm/litert_wasm_compat_internal.js";

const NO_DEVICE = { limits: {}, features: new Set(), requestDevice: () => null };

/** Load a model; the result runs a signature by name, one call at a time. */
export async function load(url) {
  // The runtime writes all that it says to the error stream, and takes its settings from this name.
  globalThis.Module = {
    printErr: (line) => (/^(INFO|WARNING):/.test(line) ? console.debug(line) : console.error(line)),
  };
  // It would ask for a graphics device too, which so small a model does not need, and warn where there is none.
  Object.defineProperty(navigator, "gpu", { value: { requestAdapter: () => NO_DEVICE }, configurable: true });
  await loadLiteRt(RUNTIME);
  delete navigator.gpu;
  const model = await loadAndCompile(url, { accelerator: "wasm" });
  let last = Promise.resolve();
  return (name, inputs) => {
    const next = last.then(() => once(model.signatures[name], inputs));
    last = next.catch(() => {}); // a failed call does not stop those behind it
    return next;
  };
}

async function once(signature, inputs) {
  const given = {};
  for (const { name, shape } of signature.getInputDetails()) given[name] = new Tensor(inputs[name], shape);
  try {
    const results = await signature.run(given);
    const read = {};
    for (const [name, tensor] of Object.entries(results)) {
      read[name] = (await tensor.data()).slice(); // a copy: the runtime's memory moves when it grows
      tensor.delete();
    }
    return read;
  } finally {
    for (const tensor of Object.values(given)) tensor.delete(); // its memory is not collected
  }
}

/** Make of a slow function one that may be called at any time: a call that a later one overtook is left out. */
export function latest(work) {
  let waiting = null;
  let busy = false;
  return async (...values) => {
    waiting = values;
    if (busy) return;
    busy = true;
    try {
      while (waiting) {
        const next = waiting;
        waiting = null;
        await work(...next);
      }
    } finally {
      busy = false;
    }
  };
}
