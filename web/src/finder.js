/** Where the faces are, as occlumark/finder.py finds them: the photo coarsely, small faces closely, then the best boxes. */
import { area, commonArea, joinedRegions, keepBest, longerSide } from "./geometry.js";
import { padded, part, zoomed } from "./pixels.js";

/** @typedef {import("./geometry.js").Box} Box */
/** @typedef {{ box: Box, score: number }} Found */
/** @typedef {Found & { side: number }} Seen side: the box's longer one, pixels that the network saw */

const SIDE_MULTIPLE = 32;
export const SCORE = 0.54;
export const CANDIDATE_SCORE = 0.35;
const SMALLEST_SEEN = 20;
const LARGEST_ZOOM = 3;
const [LEAST_PHOTO_OVER_FACE, MOST_PHOTO_OVER_FACE] = [32, 64];
const [HALF, SIXTH] = [2, 6];
const DOUBTFUL = 0.15;
const SMALL_AT_HALF = 40;
const [LARGEST_FINE, LARGEST_AT_HALF] = [80, 160];
const MARGIN = 32;
const ALL_FROM = 0.7;
const [MAX_IOU, MAX_SHARE] = [0.45, 0.8];

/** How many times as long a photo's sides are at its fine scale. @param {number} width @param {number} height */
function fineZoom(width, height) {
  const longer = Math.max(width, height);
  const over = Math.min(MOST_PHOTO_OVER_FACE, Math.max(LEAST_PHOTO_OVER_FACE, longer / SMALLEST_SEEN));
  return Math.min(LARGEST_ZOOM, SMALLEST_SEEN / (longer / over));
}

/**
 * The network's boxes of one picture that count, in photo pixels.
 *
 * @param {{ scores: ArrayLike<number>, boxes: ArrayLike<number> }} outputs n scores, n times four numbers
 * @param {number} least score that counts
 * @param {[number, number]} toPhoto photo pixels per pixel that the network saw, across and down
 * @param {[number, number]} [corner] of what the network saw, pixels of the same size
 * @returns {Seen[]}
 */
function decode({ scores, boxes }, least, [across, down], [left, top] = [0, 0]) {
  const found = [];
  for (let i = 0; i < scores.length; i++) {
    if (!(scores[i] >= least)) continue;
    const [x0, y0, x1, y1] = [boxes[4 * i], boxes[4 * i + 1], boxes[4 * i + 2], boxes[4 * i + 3]];
    /** @type {Box} */
    const box = [(x0 + left) * across, (y0 + top) * down, (x1 + left) * across, (y1 + top) * down];
    found.push({ box, score: Math.min(1, scores[i]), side: longerSide([x0, y0, x1, y1]) });
  }
  return found;
}

/** Of boxes on one face the best. @param {Found[]} found @returns {Found[]} best first */
function bestFaces(found) {
  const [boxes, scores] = [found.map(({ box }) => box), found.map(({ score }) => score)];
  return keepBest(boxes, scores, MAX_IOU, MAX_SHARE).map((i) => ({ box: boxes[i], score: scores[i] }));
}

/** The face finder. */
export class Finder {
  /** @param {import("./network.js").Network} network */
  constructor(network) {
    this.network = network;
  }

  /** @param {import("./pixels.js").Rgba} photo @param {number} least score @returns {Promise<Found[]>} best first */
  async find(photo, least = SCORE) {
    const zoom = fineZoom(photo.width, photo.height);
    const large = await this.search(photo, zoom / SIXTH, least);
    const half = await this.search(photo, zoom / HALF, DOUBTFUL);
    const counted = half.filter(({ score, side }) => score >= least && side >= SMALLEST_SEEN && side <= LARGEST_AT_HALF);
    const whole = [...large, ...counted.filter(({ side }) => side >= SMALL_AT_HALF)].filter(({ score }) => score >= SCORE);
    const doubtful = half.filter(
      ({ box, side }) =>
        side < SMALL_AT_HALF && whole.every((face) => commonArea(face.box, box) <= MAX_SHARE * area(box)),
    );
    const found = [...large, ...counted, ...(await this.around(photo, zoom, least, doubtful))];
    // what lies in the black below and to the right of the photo (padded) is no place in it
    const places = found.filter(({ box: [x0, y0] }) => x0 < photo.width && y0 < photo.height);
    return bestFaces(places).filter(({ box }) => isInPhoto(box, photo.width, photo.height));
  }

  /**
   * What the fine scale shows around what may be faces.
   *
   * @param {import("./pixels.js").Rgba} photo
   * @param {number} zoom of the fine scale
   * @param {number} least score
   * @param {Seen[]} doubtful
   * @returns {Promise<Seen[]>}
   */
  async around(photo, zoom, least, doubtful) {
    if (!doubtful.length) return [];
    const fine = zoomed(photo, zoom);
    const [across, down] = [photo.width / fine.width, photo.height / fine.height];
    const boxes = doubtful.map(({ box: [x0, y0, x1, y1] }) => {
      /** @type {Box} */
      const box = [x0 / across, y0 / down, x1 / across, y1 / down];
      const margin = Math.max(MARGIN, longerSide(box) / 2);
      /** @type {Box} */
      const wider = [box[0] - margin, box[1] - margin, box[2] + margin, box[3] + margin];
      return wider;
    });
    const found = [];
    for (const region of joinedRegions(boxes, fine.width, fine.height, SIDE_MULTIPLE, ALL_FROM)) {
      const outputs = await this.predict(part(fine, region));
      const seen = decode(outputs, least, [across, down], [region[0], region[1]]);
      found.push(...seen.filter(({ side }) => side <= LARGEST_FINE));
    }
    return found;
  }

  /**
   * What the network sees in the photo with its sides so many times as long.
   *
   * @param {import("./pixels.js").Rgba} photo
   * @param {number} zoom
   * @param {number} least score
   */
  async search(photo, zoom, least) {
    const seen = zoomed(photo, zoom);
    return decode(await this.predict(seen), least, [photo.width / seen.width, photo.height / seen.height]);
  }

  /** @param {import("./pixels.js").Rgba} seen */
  async predict(seen) {
    const outputs = await this.network.run("photos", [padded(seen, SIDE_MULTIPLE)]);
    return { scores: outputs.scores.data, boxes: outputs.boxes.data };
  }
}

/** Whether a box can be a face's in the photo (occlumark/boxes.py). @param {Box} box @param {number} width @param {number} height */
export function isInPhoto([x0, y0, x1, y1], width, height) {
  const sides = [x1 - x0, y1 - y0];
  return (
    Math.min(...sides) >= 1 && Math.max(...sides) <= 10 * Math.max(width, height) && x1 > 0 && y1 > 0 && x0 < width && y0 < height
  );
}
