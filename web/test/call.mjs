/**
 * Calls the page's functions from Python's tests: a JSON list of [name, arguments] on standard input, their results out.
 *
 * Pictures come and go as { data: base64, width, height }.
 */
import { readFileSync } from "node:fs";
import { Detector } from "../src/detector.js";
import { withoutDoubles } from "../src/doubles.js";
import { faceToJson } from "../src/face_json.js";
import { Follower, movesLikeAFace } from "../src/follower.js";
import { Finder } from "../src/finder.js";
import { CropTransform, rollOf, tightBox, uprightCrop } from "../src/geometry.js";
import { cut, padded, zoomed } from "../src/pixels.js";
import { certainty, leastPresence } from "../src/presence.js";
import { cropAround, doubt, lessDoubtful, needsRecrop, turnedCrops } from "../src/recrop.js";

const cropOf = ({ matrix, size }) => new CropTransform(matrix, size);
const picture = ({ data, width, height }) => ({ data: new Uint8Array(Buffer.from(data, "base64")), width, height });
const text = ({ data, width, height }) => ({ data: Buffer.from(data).toString("base64"), width, height });

/** The face finder with a network that gives what it is told to, one output a scale. */
async function find({ width, height, outputs, least }) {
  const seen = [];
  const network = {
    async run(name, [{ width, height }]) {
      const { scores, boxes } = outputs[seen.length];
      seen.push([height, width]);
      return { scores: { data: scores }, boxes: { data: boxes } };
    },
  };
  const found = await new Finder(network).find({ data: new Uint8Array(4 * width * height), width, height }, least);
  return { seen, found };
}

/** How many faces are shown of each frame, which is told what is seen near the last ones and what a search finds. */
async function follow(frames) {
  let frame;
  const detector = {
    detectNear: async (_, before) => before.map((_, i) => frame.near[i]),
    finder: { find: async () => frame.found },
    detectIn: async (_, found) => found,
  };
  const follower = new Follower(detector);
  const shown = [];
  for (frame of frames) shown.push((await follower.update({ width: 640, height: 480 }, frame.time)).length);
  return shown;
}

const FUNCTIONS = {
  find,
  follow,
  isFace: (face) => new Detector(null, null, {}).isFace(face),
  isRuledOut: (face) => new Detector(null, null, {}).isRuledOut(face),
  needsRecrop,
  doubt,
  leastPresence,
  certainty,
  lessDoubtful,
  withoutDoubles,
  rollOf,
  tightBox,
  uprightCrop,
  cropAround,
  turnedCrops,
  movesLikeAFace,
  fromBox: CropTransform.fromBox,
  zoom: (crop) => cropOf(crop).zoom,
  toCrop: (crop, points) => cropOf(crop).toCrop(points),
  toPhoto: (crop, points) => cropOf(crop).toPhoto(points),
  cut: (photo, crop) => text(cut(picture(photo), cropOf(crop))),
  zoomed: (photo, zoom) => text(zoomed(picture(photo), zoom)),
  padded: (photo, multiple) => text(padded(picture(photo), multiple)),
  faceToJson: (face, regions) => faceToJson({ ...face, crop: cropOf(face.crop) }, regions),
};

const calls = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify(await Promise.all(calls.map(([name, args]) => FUNCTIONS[name](...args)))));
