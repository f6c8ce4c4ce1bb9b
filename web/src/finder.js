/** Where the faces are, as occlumark/finder.py finds them: two scales of the photo, then the best boxes. */
import { keepBest, longerSide } from "./geometry.js";
import { padded, zoomed } from "./pixels.js";

/** @typedef {import("./geometry.js").Box} Box */
/** @typedef {{ box: Box, score: number }} Found */

const SIDE_MULTIPLE = 32;
const SCORE = 0.54;
const SMALLEST_SEEN = 20;
const LARGEST_ZOOM = 3;
const PHOTO_OVER_FACE = 32;
const COARSER = 3;
const LARGEST_SEEN = 80;
const [MAX_IOU, MAX_SHARE] = [0.45, 0.8];

/**
 * At which scales a photo is searched, and up to which longer side a box of each counts, in pixels of that scale.
 *
 * @param {number} width
 * @param {number} height
 */
export function scales(width, height) {
  const minFace = Math.max(width, height) / PHOTO_OVER_FACE;
  const zoom = Math.min(LARGEST_ZOOM, SMALLEST_SEEN / minFace);
  return [{ zoom, largest: LARGEST_SEEN }, { zoom: zoom / COARSER, largest: Infinity }];
}

/**
 * The network's boxes of one scale that count, in photo pixels.
 *
 * @param {{ scores: ArrayLike<number>, boxes: ArrayLike<number> }} outputs n scores, n times four numbers
 * @param {number} largest longer side, pixels that the network saw
 * @param {[number, number]} toPhoto photo pixels per pixel that the network saw, across and down
 * @returns {Found[]}
 */
export function decode({ scores, boxes }, largest, [across, down]) {
  const found = [];
  for (let i = 0; i < scores.length; i++) {
    if (!(scores[i] >= SCORE)) continue;
    /** @type {Box} */
    const seen = [boxes[4 * i], boxes[4 * i + 1], boxes[4 * i + 2], boxes[4 * i + 3]];
    if (longerSide(seen) > largest) continue;
    /** @type {Box} */
    const box = [seen[0] * across, seen[1] * down, seen[2] * across, seen[3] * down];
    found.push({ box, score: Math.min(1, scores[i]) });
  }
  return found;
}

/** Of boxes on one face the best. @param {Found[]} found @returns {Found[]} best first */
export function bestFaces(found) {
  const [boxes, scores] = [found.map(({ box }) => box), found.map(({ score }) => score)];
  return keepBest(boxes, scores, MAX_IOU, MAX_SHARE).map((i) => found[i]);
}

/** The face finder. */
export class Finder {
  /** @param {import("./network.js").Network} network */
  constructor(network) {
    this.network = network;
  }

  /** @param {import("./pixels.js").Rgba} photo @returns {Promise<Found[]>} best first */
  async find(photo) {
    const found = [];
    for (const { zoom, largest } of scales(photo.width, photo.height)) {
      const seen = zoomed(photo, zoom);
      const outputs = await this.network.run("photos", [padded(seen, SIDE_MULTIPLE)]);
      const values = { scores: outputs.scores.data, boxes: outputs.boxes.data };
      found.push(...decode(values, largest, [photo.width / seen.width, photo.height / seen.height]));
    }
    return bestFaces(found).filter(({ box }) => isInPhoto(box, photo.width, photo.height));
  }
}

/** Whether a box can be a face's in the photo (occlumark/boxes.py). @param {Box} box @param {number} width @param {number} height */
export function isInPhoto([x0, y0, x1, y1], width, height) {
  const sides = [x1 - x0, y1 - y0];
  return (
    Math.min(...sides) >= 1 && Math.max(...sides) <= 10 * Math.max(width, height) && x1 > 0 && y1 > 0 && x0 < width && y0 < height
  );
}
