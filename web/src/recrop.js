/**
 * When a face is cropped again, and how, as occlumark/recrop.py has it.
 *
 * @typedef {import("./geometry.js").Point} Point
 * @typedef {import("./geometry.js").Box} Box
 * @typedef {import("./geometry.js").CropConfig} CropConfig
 *
 * @typedef {object} Face
 * @property {Box} box photo pixels
 * @property {number} score of the box, 0..1
 * @property {Point[]} landmarks 68, photo pixels
 * @property {number[]} visibility 0..1
 * @property {number[]} expectedError photo pixels
 * @property {number} presence how likely the crop shows a face, 0..1
 * @property {{ values: Float32Array, rows: number, columns: number }} occlusionMap 0..1, evenly over the crop
 * @property {import("./geometry.js").CropTransform} crop
 */
import { boxIou, CropTransform, longerSide, rollOf, tightBox, uprightCrop } from "./geometry.js";

const AGREEMENT = 0.8;
const UPRIGHT_WITHIN = 20;
const LOST_ABOVE = 0.1;
const TURNED_DOUBT = 0.7;
const SIZE_RATIOS = [0.5, 2];
const QUARTERS = [90, 180, 270];

/** Whether a crop around the landmarks is due. @param {Pick<Face, "box" | "landmarks">} face @param {Point[]} meanFace */
export function needsRecrop(face, meanFace) {
  const tight = tightBox(face.landmarks);
  const ratio = longerSide(tight) / longerSide(face.box);
  const hasArea = tight[0] < tight[2] && tight[1] < tight[3];
  if (!hasArea || ratio < SIZE_RATIOS[0] || ratio > SIZE_RATIOS[1]) return false;
  return Math.abs(rollOf(face.landmarks, meanFace)) > UPRIGHT_WITHIN || boxIou(tight, face.box) < AGREEMENT;
}

/** The crop around landmarks, upright where they are turned. @param {Point[]} landmarks @param {Point[]} meanFace @param {CropConfig} config */
export function cropAround(landmarks, meanFace, config) {
  const roll = rollOf(landmarks, meanFace);
  if (Math.abs(roll) > UPRIGHT_WITHIN) return uprightCrop(landmarks, roll, config);
  return CropTransform.fromBox(tightBox(landmarks), config);
}

/** The median expected error over the box's longer side. @param {Pick<Face, "box" | "expectedError">} face */
export function doubt(face) {
  const sorted = [...face.expectedError].sort((a, b) => a - b);
  const median = (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
  return median / longerSide(face.box);
}

/** Whether the face may stand in another direction than it was searched in. @param {Face} face */
export function isLost(face) {
  return doubt(face) > LOST_ABOVE;
}

/** The least doubtful of the turned crops where it is clearly so, or the face. @param {Face} face @param {Face[]} turned */
export function lessDoubtful(face, turned) {
  const best = turned.reduce((least, other) => (doubt(other) < doubt(least) ? other : least));
  return doubt(best) <= TURNED_DOUBT * doubt(face) ? best : face;
}

/** The crops of a box turned by one, two and three quarters. @param {Box} box @param {CropConfig} config */
export function turnedCrops(box, config) {
  return QUARTERS.map((angle) => CropTransform.fromBox(box, config, angle));
}
