/** The page: a photo or the camera in, faces drawn. */
import { drawFaces } from "./draw.js";
import { faceToJson } from "./face_json.js";
import { CropTransform } from "./geometry.js";

/** @typedef {import("./recrop.js").Face} Face */
/** @typedef {import("./detector.js").Settings} Settings */

// Larger photos are reduced, longer side in pixels: some browsers have no larger canvas.
const LARGEST_PHOTO = 4096;
const CAMERA = { width: { ideal: 640 }, height: { ideal: 480 } };

const element = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const canvasOf = (/** @type {string} */ id) => {
  const canvas = /** @type {HTMLCanvasElement} */ (element(id));
  const context = canvas.getContext("2d", { willReadFrequently: id === "picture" });
  if (!context) throw new Error("this browser has no canvas");
  return context;
};
const [picture, drawing] = [canvasOf("picture"), canvasOf("drawing")];
const chosen = /** @type {HTMLInputElement} */ (element("file"));
const withMap = /** @type {HTMLInputElement} */ (element("map"));
const camera = /** @type {HTMLButtonElement} */ (element("camera"));
const save = /** @type {HTMLButtonElement} */ (element("save"));
const video = document.createElement("video");
video.muted = video.playsInline = true;

/** @type {Settings} */
const settings = await (await fetch(new URL("settings.json", import.meta.url))).json();
/** @type {Face[]} */
let faces = [];
/** @type {MediaStream | null} */
let stream = null;
/** How often a camera or photo was asked for: what is answered late is another's. */
let asked = 0;

// A worker of a blob keeps to this page's content security policy, which allows no other machine; one of a file does not.
const start = new Blob([`import ${JSON.stringify(new URL("worker.js", import.meta.url).href)};`], { type: "text/javascript" });
const worker = new Worker(URL.createObjectURL(start), { type: "module" });
/** Rejected where the worker cannot be loaded or ends. @type {Promise<never>} */
const broken = new Promise((_, reject) => {
  worker.addEventListener("error", () => reject(new Error("the networks could not be loaded")));
});
broken.catch((error) => say(`That failed: ${error.message}`));
/** One task at a time. @type {Promise<unknown>} */
let busy = Promise.resolve();

/**
 * The faces of what `picture` shows; drawn when they are there.
 *
 * @param {boolean} isFrame of the camera
 */
function find(isFrame) {
  const { data, width, height } = picture.getImageData(0, 0, picture.canvas.width, picture.canvas.height);
  const task = { photo: { data, width, height }, isFrame, time: performance.now() };
  const done = busy.then(() => Promise.race([ask(task), broken]));
  busy = done.catch(() => undefined);
  return done;
}

/** @param {import("./worker.js").Task} task @returns {Promise<number>} how long it took, milliseconds */
function ask(task) {
  return new Promise((resolve, reject) => {
    worker.onmessage = (/** @type {MessageEvent<import("./worker.js").Result>} */ { data }) => {
      if ("error" in data) return reject(new Error(data.error));
      faces = data.faces.map((face) => ({ ...face, crop: new CropTransform(face.crop.matrix, face.crop.size) }));
      const { photo } = data;
      show(photo.width, photo.height);
      picture.putImageData(new ImageData(new Uint8ClampedArray(photo.data), photo.width, photo.height), 0, 0);
      draw();
      save.disabled = false;
      resolve(data.tookMs);
    };
    worker.postMessage(task, [task.photo.data.buffer]);
  });
}

/** @param {number} width @param {number} height */
function show(width, height) {
  for (const { canvas } of [picture, drawing]) {
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  }
}

function draw() {
  drawFaces(drawing, faces, settings.contours, withMap.checked);
}

/** @param {string} text */
function say(text) {
  element("status").textContent = text;
}

/** @param {Blob} file */
async function openPhoto(file) {
  stopCamera();
  const mine = asked;
  say("Searching …");
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    return say("This browser cannot read that file; JPEG, PNG and WebP are photos that every browser reads.");
  }
  if (mine !== asked) return; // another was opened, or the camera, while this one was decoded
  const zoom = Math.min(1, LARGEST_PHOTO / Math.max(bitmap.width, bitmap.height));
  show(Math.max(1, Math.round(bitmap.width * zoom)), Math.max(1, Math.round(bitmap.height * zoom)));
  picture.fillStyle = "white"; // under what is transparent
  picture.fillRect(0, 0, picture.canvas.width, picture.canvas.height);
  picture.imageSmoothingQuality = "high";
  picture.drawImage(bitmap, 0, 0, picture.canvas.width, picture.canvas.height);
  faces = [];
  save.disabled = true;
  draw();
  try {
    const tookMs = await find(false);
    const reduced = zoom < 1 ? ` Reduced to ${picture.canvas.width} x ${picture.canvas.height} pixels.` : "";
    say(`${count()} in ${tookMs.toFixed(0)} ms.${reduced}`);
  } catch (error) {
    say(`That failed: ${/** @type {Error} */ (error).message}`);
  }
}

async function startCamera() {
  const mine = ++asked;
  let own;
  camera.disabled = true;
  try {
    own = await navigator.mediaDevices.getUserMedia({ video: CAMERA });
  } catch {
    return say("There is no camera, or the page may not use it.");
  } finally {
    camera.disabled = false;
  }
  if (mine !== asked) return stop(own); // a photo was opened meanwhile
  stream = own;
  camera.textContent = "Stop the camera";
  video.srcObject = stream;
  await video.play();
  /** When the last frames were done, milliseconds. @type {number[]} */
  const times = [];
  while (stream === own) {
    show(video.videoWidth, video.videoHeight);
    picture.drawImage(video, 0, 0);
    try {
      const tookMs = await find(true);
      times.push(performance.now());
      if (times.length > 30) times.shift();
      const perSecond = times.length > 1 ? (1000 * (times.length - 1)) / (times[times.length - 1] - times[0]) : 0;
      if (stream === own) say(`${count()}, ${tookMs.toFixed(0)} ms per frame, ${perSecond.toFixed(1)} frames per second`);
    } catch (error) {
      stopCamera();
      say(`That failed: ${/** @type {Error} */ (error).message}`);
    }
    await new Promise((resolve) => {
      video.requestVideoFrameCallback(resolve);
      setTimeout(resolve, 1000); // a camera that stands still
    });
  }
}

/** @param {MediaStream} stream */
function stop(stream) {
  for (const track of stream.getTracks()) track.stop();
}

function stopCamera() {
  asked += 1;
  if (stream) stop(stream);
  stream = null;
  camera.textContent = "Use the camera";
}

function count() {
  return faces.length === 1 ? "1 face" : `${faces.length || "No"} faces`;
}

function saveJson() {
  const text = JSON.stringify(faces.map((face) => faceToJson(face, settings.regions)));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = "faces.json";
  link.click();
  URL.revokeObjectURL(link.href);
}

chosen.addEventListener("click", () => (chosen.value = "")); // the same file again is a change, too
chosen.addEventListener("change", () => chosen.files?.[0] && openPhoto(chosen.files[0]));
camera.addEventListener("click", () => (stream ? stopCamera() : startCamera()));
withMap.addEventListener("change", draw);
save.addEventListener("click", saveJson);
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  const file = event.dataTransfer?.files[0];
  if (file) void openPhoto(file);
});
say(`Ready. Network: ${settings.model}.`);
