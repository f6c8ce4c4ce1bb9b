/** One face found twice, or a part of it beside it, as occlumark/face/doubles.py has it. */
import { boxIou, tightBox } from "./geometry.js";
import { doubt } from "./recrop.js";

/** @typedef {import("./recrop.js").Face} Face */

const SAME_IOU = 0.6;
const [OVERLAP_IOU, MORE_DOUBT] = [0.3, 1.5];

/** The faces without those that are another one once more. @param {Face[]} faces of one photo @returns {Face[]} */
export function withoutDoubles(faces) {
  return faces.filter((face, i) => !faces.some((other, k) => k !== i && isDouble(face, other, k < i)));
}

/** @param {Face} face @param {Face} other @param {boolean} comes whether the other comes first */
function isDouble(face, other, comes) {
  const same = boxIou(tightBox(face.landmarks), tightBox(other.landmarks));
  if (same >= SAME_IOU) return face.score < other.score || (face.score === other.score && comes);
  return Math.max(boxIou(face.box, other.box), same) >= OVERLAP_IOU && doubt(face) > MORE_DOUBT * doubt(other);
}
