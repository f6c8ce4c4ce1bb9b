/**
 * Crops and reduced photos: what occlumark/crop.py and finder.py do with OpenCV.
 *
 * @typedef {{ data: Uint8ClampedArray | Uint8Array, width: number, height: number }} Rgba four bytes a pixel, row by row
 * @typedef {{ data: Uint8Array, width: number, height: number }} Rgb three bytes a pixel, row by row: a network's input
 */
import { tightBox } from "./geometry.js";

/**
 * The crop's pixels, bilinear; black where the crop leaves the photo. A face much larger than the crop is first averaged
 * down by a whole factor, so that nothing aliases.
 *
 * @param {Rgba} photo
 * @param {import("./geometry.js").CropTransform} crop
 * @returns {Rgb}
 */
export function cut(photo, crop) {
  const whole = Math.max(1, Math.trunc(1 / crop.zoom));
  const [across, down] = [Math.min(whole, photo.width), Math.min(whole, photo.height)];
  const { region, x0, y0 } = visibleRegion(photo, crop, across, down);
  const { size } = crop;
  const out = new Uint8Array(size * size * 3);
  // From a crop pixel's centre back to the photo, then to the region, whose pixels are blocks of the photo's.
  const [[x, y], [xRight, yRight], [xBelow, yBelow]] = crop.toPhoto([[0.5, 0.5], [1.5, 0.5], [0.5, 1.5]]);
  const [startX, startY] = [(x - x0) / across - 0.5, (y - y0) / down - 0.5];
  const [columnX, columnY] = [(xRight - x) / across, (yRight - y) / down];
  const [rowX, rowY] = [(xBelow - x) / across, (yBelow - y) / down];
  for (let row = 0, i = 0; row < size; row++) {
    for (let column = 0; column < size; column++, i += 3) {
      sample(region, startX + column * columnX + row * rowX, startY + column * columnY + row * rowY, out, i);
    }
  }
  return { data: out, width: size, height: size };
}

/**
 * One bilinear value for each colour; black outside.
 *
 * @param {Rgba} from
 * @param {number} x of the place, where a pixel's centre is on whole numbers
 * @param {number} y
 * @param {Uint8Array} out
 * @param {number} i where in out
 */
function sample(from, x, y, out, i) {
  const [left, top] = [Math.floor(x), Math.floor(y)];
  const [right, below] = [x - left, y - top];
  const { data, width, height } = from;
  let [red, green, blue] = [0, 0, 0];
  for (let dy = 0; dy < 2; dy++) {
    const row = top + dy;
    if (row < 0 || row >= height) continue;
    for (let dx = 0; dx < 2; dx++) {
      const column = left + dx;
      if (column < 0 || column >= width) continue;
      const weight = (dx ? right : 1 - right) * (dy ? below : 1 - below);
      const at = 4 * (row * width + column);
      red += weight * data[at];
      green += weight * data[at + 1];
      blue += weight * data[at + 2];
    }
  }
  out[i] = red + 0.5;
  out[i + 1] = green + 0.5;
  out[i + 2] = blue + 0.5;
}

/**
 * The part of the photo under the crop, averaged over blocks, and its top-left corner in the photo.
 *
 * @param {Rgba} photo
 * @param {import("./geometry.js").CropTransform} crop
 * @param {number} across width of a block, photo pixels
 * @param {number} down its height
 */
function visibleRegion(photo, crop, across, down) {
  if (across === 1 && down === 1) return { region: photo, x0: 0, y0: 0 };
  const { size } = crop;
  const corners = tightBox(crop.toPhoto([[0, 0], [size, 0], [0, size], [size, size]]));
  const x0 = clip(Math.floor(corners[0]) - 2 * across, 0, photo.width - 1);
  const y0 = clip(Math.floor(corners[1]) - 2 * down, 0, photo.height - 1);
  const x1 = clip(Math.ceil(corners[2]) + 2 * across, x0 + 1, photo.width);
  const y1 = clip(Math.ceil(corners[3]) + 2 * down, y0 + 1, photo.height);
  const [width, height] = [Math.ceil((x1 - x0) / across), Math.ceil((y1 - y0) / down)];
  const data = new Uint8Array(4 * width * height);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const sums = [0, 0, 0];
      for (let dy = 0; dy < down; dy++) {
        // The last blocks may hang over the photo's edge: the edge goes on under them.
        const y = Math.min(y0 + row * down + dy, y1 - 1);
        for (let dx = 0; dx < across; dx++) {
          const at = 4 * (y * photo.width + Math.min(x0 + column * across + dx, x1 - 1));
          for (let colour = 0; colour < 3; colour++) sums[colour] += photo.data[at + colour];
        }
      }
      const at = 4 * (row * width + column);
      for (let colour = 0; colour < 3; colour++) data[at + colour] = Math.round(sums[colour] / (across * down));
    }
  }
  return { region: { data, width, height }, x0, y0 };
}

/**
 * A photo with its sides so many times as long, each at least a pixel.
 *
 * @param {Rgba} photo
 * @param {number} zoom
 * @returns {Rgba}
 */
export function zoomed(photo, zoom) {
  const [width, height] = zoomedSize(photo.width, photo.height, zoom);
  if (width === photo.width && height === photo.height) return photo;
  while (photo.width >= 2 * width && photo.height >= 2 * height) photo = halved(photo);
  return stretched(photo, width, height);
}

/**
 * @param {number} width
 * @param {number} height
 * @param {number} zoom
 */
function zoomedSize(width, height, zoom) {
  return [width, height].map((side) => Math.max(1, roundHalfEven(side * zoom)));
}

/** A rectangle of a photo, whole pixels inside it. @param {Rgba} photo @param {import("./geometry.js").Box} region @returns {Rgba} */
export function part(photo, [x0, y0, x1, y1]) {
  const [width, height] = [x1 - x0, y1 - y0];
  if (width === photo.width && height === photo.height) return photo;
  const data = new Uint8Array(4 * width * height);
  for (let row = 0; row < height; row++) {
    const at = 4 * ((y0 + row) * photo.width + x0);
    data.set(photo.data.subarray(at, at + 4 * width), 4 * row * width);
  }
  return { data, width, height };
}

/** Averaged by a half; of an odd side the last half pixel counts too. @param {Rgba} photo @returns {Rgba} */
function halved(photo) {
  const [width, height] = [Math.ceil(photo.width / 2), Math.ceil(photo.height / 2)];
  const [columns, rows] = [shares(photo.width, width), shares(photo.height, height)];
  const data = new Uint8Array(4 * width * height);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      let [red, green, blue] = [0, 0, 0];
      for (const [y, down] of rows[row]) {
        for (const [x, across] of columns[column]) {
          const [at, weight] = [4 * (y * photo.width + x), across * down];
          red += weight * photo.data[at];
          green += weight * photo.data[at + 1];
          blue += weight * photo.data[at + 2];
        }
      }
      const at = 4 * (row * width + column);
      data[at] = red + 0.5;
      data[at + 1] = green + 0.5;
      data[at + 2] = blue + 0.5;
    }
  }
  return { data, width, height };
}

/**
 * Of which pixels, and how much of each, an averaged one consists.
 *
 * @param {number} from how many there are
 * @param {number} to how many come out
 * @returns {[number, number][][]}
 */
function shares(from, to) {
  const step = from / to;
  return Array.from({ length: to }, (_, i) => {
    /** @type {[number, number][]} */
    const parts = [];
    for (let pixel = Math.floor(i * step); pixel < Math.min(from, Math.ceil((i + 1) * step)); pixel++) {
      const share = Math.min(pixel + 1, (i + 1) * step) - Math.max(pixel, i * step);
      if (share > 1e-9) parts.push([pixel, share / step]);
    }
    return parts;
  });
}

/**
 * Bilinear, the edges go on outside; in the whole numbers of OpenCV's resize: where something is occluded, a grey level
 * in what the finder sees moves its box by a twentieth of a pixel, and that a landmark by a pixel.
 *
 * @param {Rgba} photo
 * @param {number} width
 * @param {number} height
 * @returns {Rgba}
 */
function stretched(photo, width, height) {
  const [columns, rows] = [neighbours(photo.width, width), neighbours(photo.height, height)];
  const data = new Uint8Array(4 * width * height);
  const from = photo.data;
  for (let row = 0, i = 0; row < height; row++) {
    const [top, below, up, down] = rows[row];
    for (let column = 0; column < width; column++, i += 4) {
      const [left, right, before, after] = columns[column];
      const [a, b] = [4 * (top * photo.width + left), 4 * (top * photo.width + right)];
      const [c, d] = [4 * (below * photo.width + left), 4 * (below * photo.width + right)];
      for (let colour = 0; colour < 3; colour++) {
        const above = (from[a + colour] * before + from[b + colour] * after) >> 4;
        const under = (from[c + colour] * before + from[d + colour] * after) >> 4;
        data[i + colour] = (((up * above) >> 16) + ((down * under) >> 16) + 2) >> 2;
      }
    }
  }
  return { data, width, height };
}

/**
 * For each pixel of a stretched row its two neighbours in the old one, and their weights, 2048 together.
 *
 * @param {number} from
 * @param {number} to
 * @returns {[number, number, number, number][]}
 */
function neighbours(from, to) {
  return Array.from({ length: to }, (_, i) => {
    const at = clip(Math.fround(((i + 0.5) * from) / to - 0.5), 0, from - 1);
    const first = Math.floor(at);
    const after = roundHalfEven((at - first) * 2048);
    return [first, Math.min(first + 1, from - 1), 2048 - after, after];
  });
}

/**
 * Without the fourth byte, with black below and to the right so that the sides are multiples of `multiple`.
 *
 * @param {Rgba} photo
 * @param {number} multiple
 * @returns {Rgb}
 */
export function padded(photo, multiple) {
  const [width, height] = [photo.width, photo.height].map((side) => Math.ceil(side / multiple) * multiple);
  const data = new Uint8Array(3 * width * height);
  for (let row = 0; row < photo.height; row++) {
    let [from, to] = [4 * row * photo.width, 3 * row * width];
    for (let column = 0; column < photo.width; column++, from += 4, to += 3) {
      data[to] = photo.data[from];
      data[to + 1] = photo.data[from + 1];
      data[to + 2] = photo.data[from + 2];
    }
  }
  return { data, width, height };
}

/** As Python rounds: halves to the even neighbour. @param {number} value */
function roundHalfEven(value) {
  const rounded = Math.round(value);
  return Math.abs(value % 1) === 0.5 && rounded % 2 ? rounded - 1 : rounded;
}

/** @param {number} value @param {number} low @param {number} high */
function clip(value, low, high) {
  return Math.min(Math.max(value, low), high);
}
