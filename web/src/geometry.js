/**
 * The crop transform and boxes, as occlumark/crop.py, boxes.py and face/align.py have them.
 *
 * A point is [x, y] in pixels, the first pixel's centre is [0.5, 0.5]; a box is [x0, y0, x1, y1] in the same.
 *
 * @typedef {[number, number]} Point
 * @typedef {[number, number, number, number]} Box
 * @typedef {[[number, number, number], [number, number, number]]} Matrix
 * @typedef {{ size: number, scale: number }} CropConfig side of the crop in pixels; side over the box's longer side
 */

/** A similarity from a photo to a square crop of it. */
export class CropTransform {
  /**
   * @param {Matrix} matrix photo pixels to crop pixels
   * @param {number} size side of the crop, pixels
   */
  constructor(matrix, size) {
    this.matrix = matrix;
    this.size = size;
  }

  /**
   * The crop around a face's box: centred on it, its side the box's longer side times config.scale.
   *
   * @param {Box} box photo pixels, with an area
   * @param {CropConfig} config
   * @param {number} [angleDeg] rotation about the box's centre, clockwise as seen
   */
  static fromBox(box, config, angleDeg = 0) {
    const zoom = config.size / (longerSide(box) * config.scale);
    const [cos, sin] = [zoom * Math.cos(radians(angleDeg)), zoom * Math.sin(radians(angleDeg))];
    const [x, y] = centre(box);
    const half = config.size / 2;
    return new CropTransform([[cos, -sin, half - cos * x + sin * y], [sin, cos, half - sin * x - cos * y]], config.size);
  }

  /** Crop pixels per photo pixel. */
  get zoom() {
    return Math.hypot(this.matrix[0][0], this.matrix[1][0]);
  }

  /** @param {Point[]} points photo pixels @returns {Point[]} crop pixels */
  toCrop(points) {
    const [[a, b, c], [d, e, f]] = this.matrix;
    return points.map(([x, y]) => [a * x + b * y + c, d * x + e * y + f]);
  }

  /** @param {Point[]} points crop pixels @returns {Point[]} photo pixels: the inverse of toCrop */
  toPhoto(points) {
    const [[a, b, c], [d, e, f]] = this.matrix;
    const determinant = a * e - b * d;
    return points.map(([u, v]) => [
      (e * (u - c) - b * (v - f)) / determinant,
      (a * (v - f) - d * (u - c)) / determinant,
    ]);
  }
}

/**
 * The crop around landmarks in which the face stands upright.
 *
 * @param {Point[]} landmarks photo pixels
 * @param {number} rollDeg by how much the face is turned in the photo, clockwise as seen
 * @param {CropConfig} config
 */
export function uprightCrop(landmarks, rollDeg, config) {
  const [cos, sin] = [Math.cos(radians(rollDeg)), Math.sin(radians(rollDeg))];
  const box = tightBox(landmarks.map(([x, y]) => [cos * x + sin * y, cos * y - sin * x]));
  const zoom = config.size / (config.scale * longerSide(box));
  const [x, y] = centre(box);
  const half = config.size / 2;
  return new CropTransform(
    [[zoom * cos, zoom * sin, half - zoom * x], [-zoom * sin, zoom * cos, half - zoom * y]],
    config.size,
  );
}

/**
 * By how much a face is turned in the photo, clockwise as seen, -180..180 degrees: the rotation of the similarity that
 * lays the mean face onto its landmarks best in squares (occlumark/face/pose.py).
 *
 * @param {Point[]} landmarks of the 68
 * @param {Point[]} meanFace of the last of them, those without the jaw, seen from the front, their mean at 0
 */
export function rollOf(landmarks, meanFace) {
  const points = landmarks.slice(-meanFace.length);
  let [real, imaginary] = [0, 0];
  for (const [i, [x, y]] of points.entries()) {
    const [u, v] = meanFace[i];
    real += u * x + v * y;
    imaginary += u * y - v * x;
  }
  return (Math.atan2(imaginary, real) * 180) / Math.PI;
}

/** The smallest box around points. @param {Point[]} points @returns {Box} */
export function tightBox(points) {
  const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}

/** @param {Box} box */
export function longerSide(box) {
  return Math.max(box[2] - box[0], box[3] - box[1]);
}

/** @param {Box} box @returns {Point} */
export function centre(box) {
  return [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];
}

/** @param {Box} box */
export function area(box) {
  return (box[2] - box[0]) * (box[3] - box[1]);
}

/** What two boxes have in common, square pixels. @param {Box} a @param {Box} b */
export function commonArea(a, b) {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  return Math.max(0, width) * Math.max(0, height);
}

/** Intersection over union. @param {Box} a @param {Box} b */
export function boxIou(a, b) {
  const common = commonArea(a, b);
  return common / (area(a) + area(b) - common);
}

/**
 * Non-maximum suppression: of boxes that lie on one another keep the one with the highest score.
 *
 * @param {Box[]} boxes each with an area
 * @param {number[]} scores
 * @param {number} maxIou a box is left out where its IoU with a better one kept is above this
 * @param {number} maxShare and where so much of the smaller of the two lies in the other
 * @returns {number[]} indices of the boxes kept, best first
 */
export function keepBest(boxes, scores, maxIou, maxShare) {
  /** @type {number[]} */
  const kept = [];
  const order = [...boxes.keys()].sort((a, b) => scores[b] - scores[a]);
  for (const i of order) {
    const isApart = kept.every(
      (k) =>
        boxIou(boxes[k], boxes[i]) <= maxIou &&
        commonArea(boxes[k], boxes[i]) <= maxShare * Math.min(area(boxes[k]), area(boxes[i])),
    );
    if (isApart) kept.push(i);
  }
  return kept;
}

/**
 * Rectangles of a picture that hold all of its boxes, none lying on another (occlumark/boxes.py, joined_regions).
 *
 * @param {Box[]} boxes what of them is outside the picture is left out
 * @param {number} width of the picture
 * @param {number} height of the picture
 * @param {number} step edges inside the picture lie on multiples of it
 * @param {number} allFrom the share of the picture from which the rectangles together become the whole picture
 * @returns {Box[]} whole pixels
 */
export function joinedRegions(boxes, width, height, step, allFrom) {
  /** @type {Map<string, Box>} */
  const distinct = new Map();
  for (const [x0, y0, x1, y1] of boxes) {
    const clip = (/** @type {number} */ value, /** @type {number} */ most) => Math.min(most, Math.max(0, value * step));
    /** @type {Box} */
    const region = [
      clip(Math.floor(x0 / step), width),
      clip(Math.floor(y0 / step), height),
      clip(Math.ceil(x1 / step), width),
      clip(Math.ceil(y1 / step), height),
    ];
    if (region[0] < region[2] && region[1] < region[3]) distinct.set(region.join(), region);
  }
  const byPlace = (/** @type {Box} */ a, /** @type {Box} */ b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2] || a[3] - b[3];
  let [waiting, apart] = [[...distinct.values()].sort(byPlace), /** @type {Box[]} */ ([])];
  while (waiting.length) {
    const [first, ...rest] = waiting;
    const others = [...apart, ...rest];
    const group = [first, ...others.filter((other) => commonArea(first, other) > 0)];
    waiting = rest;
    if (group.length === 1) apart.push(first);
    else {
      /** @type {Box} */
      const joined = [
        Math.min(...group.map(([x]) => x)),
        Math.min(...group.map(([, y]) => y)),
        Math.max(...group.map(([, , x]) => x)),
        Math.max(...group.map(([, , , y]) => y)),
      ];
      [waiting, apart] = [[joined, ...others.filter((other) => !(commonArea(first, other) > 0))], []];
    }
  }
  const sum = apart.reduce((total, region) => total + area(region), 0);
  return sum > allFrom * width * height ? [[0, 0, width, height]] : apart;
}

/** @param {number} degrees */
function radians(degrees) {
  return (degrees * Math.PI) / 180;
}
