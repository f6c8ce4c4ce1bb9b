/** Faces drawn as occlumark/draw.py draws them: visible landmarks filled and green, occluded ones hollow and amber. */
import { HIDDEN_BELOW } from "./face_json.js";

/** @typedef {import("./recrop.js").Face} Face */

const [VISIBLE, HIDDEN, BOX, INK] = ["rgb(40 220 110)", "rgb(255 190 0)", "white", "black"];
const VEIL = [255, 40, 160];
const MOST_VEIL = 0.7;

/**
 * @param {CanvasRenderingContext2D} context of a canvas of the photo's size
 * @param {Face[]} faces
 * @param {number[][]} contours indices along each line
 * @param {boolean} withMap lay the occlusion map under the drawing
 */
export function drawFaces(context, faces, contours, withMap) {
  context.resetTransform();
  context.clearRect(0, 0, context.canvas.width, context.canvas.height);
  if (withMap) for (const face of faces) drawMap(context, face);
  for (const face of faces) drawFace(context, face, contours);
}

/** @param {CanvasRenderingContext2D} context @param {Face} face @param {number[][]} contours */
function drawFace(context, face, contours) {
  const [x0, y0, x1, y1] = face.box;
  const radius = Math.min(Math.max(Math.max(x1 - x0, y1 - y0) / 70, 1.2), 40);
  const isHidden = face.visibility.map((value) => value < HIDDEN_BELOW);
  context.lineWidth = Math.max(1, radius / 2.5);
  context.strokeStyle = BOX;
  context.strokeRect(x0, y0, x1 - x0, y1 - y0);
  for (const contour of contours) {
    for (let i = 1; i < contour.length; i++) {
      const [a, b] = [contour[i - 1], contour[i]];
      const isDashed = isHidden[a] || isHidden[b];
      context.strokeStyle = isDashed ? HIDDEN : VISIBLE;
      context.setLineDash(isDashed ? [radius, radius] : []);
      context.beginPath();
      context.moveTo(...face.landmarks[a]);
      context.lineTo(...face.landmarks[b]);
      context.stroke();
    }
  }
  context.setLineDash([]);
  for (const [i, point] of face.landmarks.entries()) {
    if (isHidden[i]) {
      circle(context, point, Math.max(1.25 * radius, 2.2));
      context.strokeStyle = HIDDEN;
      context.stroke();
    } else {
      circle(context, point, radius + 0.8);
      context.fillStyle = INK;
      context.fill();
      circle(context, point, radius);
      context.fillStyle = VISIBLE;
      context.fill();
    }
  }
}

/** @param {CanvasRenderingContext2D} context @param {[number, number]} point @param {number} radius */
function circle(context, [x, y], radius) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
}

/** The occlusion map laid over its crop's place. @param {CanvasRenderingContext2D} context @param {Face} face */
function drawMap(context, { occlusionMap: { values, rows, columns }, crop }) {
  const picture = new ImageData(columns, rows);
  for (const [i, value] of values.entries()) picture.data.set([...VEIL, 255 * MOST_VEIL * value], 4 * i);
  const canvas = new OffscreenCanvas(columns, rows);
  canvas.getContext("2d")?.putImageData(picture, 0, 0);
  const [corner, right, below] = crop.toPhoto([[0, 0], [crop.size, 0], [0, crop.size]]);
  context.setTransform(
    (right[0] - corner[0]) / columns,
    (right[1] - corner[1]) / columns,
    (below[0] - corner[0]) / rows,
    (below[1] - corner[1]) / rows,
    ...corner,
  );
  context.drawImage(canvas, 0, 0);
  context.resetTransform();
}
