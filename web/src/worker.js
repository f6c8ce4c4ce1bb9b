/**
 * Runs the networks beside the page, which stays at hand meanwhile.
 *
 * @typedef {{ photo: import("./pixels.js").Rgba, isFrame: boolean, time: number }} Task
 * @typedef {{ faces: import("./recrop.js").Face[], photo: import("./pixels.js").Rgba, tookMs: number } | { error: string }} Result
 */
import { Detector } from "./detector.js";
import { Finder } from "./finder.js";
import { Follower } from "./follower.js";
import { Network } from "./network.js";

const at = (/** @type {string} */ name) => new URL(name, import.meta.url).href;

async function open() {
  /** @type {import("./detector.js").Settings} */
  const settings = await (await fetch(at("settings.json"))).json();
  const wasm = at("ort-wasm-simd-threaded.wasm");
  const finder = await Network.open(at("finder.onnx"), wasm);
  const landmarker = await Network.open(at("landmarks.onnx"), wasm);
  return new Detector(landmarker, new Finder(finder), settings);
}

const opened = open().then((detector) => ({ detector, follower: new Follower(detector) }));

onmessage = async (/** @type {MessageEvent<Task>} */ { data: { photo, isFrame, time } }) => {
  try {
    const { detector, follower } = await opened;
    const began = performance.now();
    if (!isFrame) [follower.last, follower.trial] = [[], []];
    const faces = isFrame ? await follower.update(photo, time) : await detector.detect(photo);
    const tookMs = performance.now() - began;
    postMessage({ faces, photo, tookMs }, { transfer: [photo.data.buffer] });
  } catch (error) {
    postMessage({ error: String(error) });
  }
};
