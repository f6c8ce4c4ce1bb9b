/** A camera's faces: each cropped around its last landmarks, the finder run where one is missing or none is there. */
import { withoutDoubles } from "./doubles.js";
import { area, boxIou, centre, commonArea, longerSide, tightBox } from "./geometry.js";
import { isInPhoto } from "./finder.js";
import { leastPresence, MIN_PRESENCE } from "./presence.js";
import { doubt, isLost } from "./recrop.js";

/** @typedef {import("./recrop.js").Face} Face */
/** @typedef {import("./geometry.js").Box} Box */

// As occlumark/video/tracker.py and place.py have them; landmarks are not smoothed here, and faces have no ids.
const SEARCH_EVERY_MS = 500;
const TRIAL_ABOVE = 0.04;
const LEAST_VISIBLE = 0.15;
const [MOST_SHIFT, MOST_GROWTH] = [0.5, 1.6];
const [SAME_IOU, SAME_SHARE] = [0.35, 0.7];

/** Follows the faces before one camera. */
export class Follower {
  /** @param {import("./detector.js").Detector} detector */
  constructor(detector) {
    this.detector = detector;
    /** @type {Face[]} */
    this.last = [];
    /** New faces that one frame alone does not make: shown when the next one has them, too. @type {Face[]} */
    this.trial = [];
    this.searched = -Infinity;
  }

  /**
   * The faces of the next frame.
   *
   * @param {import("./pixels.js").Rgba} frame
   * @param {number} time milliseconds from any start
   * @returns {Promise<Face[]>}
   */
  async update(frame, time) {
    const { last } = this;
    const before = [...last, ...this.trial];
    this.trial = [];
    let missing = last.length;
    /** @type {Face[]} */
    const faces = [];
    for (const [i, face] of (await this.detector.detectNear(frame, before)).entries()) {
      const box = tightBox(face.landmarks);
      const isHere = isInPhoto(box, frame.width, frame.height) && movesLikeAFace(tightBox(before[i].landmarks), box);
      if (!isHere || !isFace(face) || isOnAny(box, faces)) continue;
      faces.push(face);
      if (i < last.length) missing -= 1;
    }
    if (!last.length || missing || time - this.searched >= SEARCH_EVERY_MS) {
      this.searched = time;
      const found = (await this.detector.finder.find(frame)).filter(({ box }) => !isOnAny(box, faces));
      const seen = await this.detector.detectIn(frame, found);
      const here = seen.filter((face) => isInPhoto(tightBox(face.landmarks), frame.width, frame.height) && isFace(face));
      for (const face of withoutDoubles(here).sort((one, other) => doubt(one) - doubt(other))) {
        if (isOnAny(tightBox(face.landmarks), [...faces, ...this.trial])) continue;
        (needsTrial(face) ? this.trial : faces).push(face);
      }
    }
    this.last = faces;
    return faces;
  }
}

/** Whether the network takes it for one. @param {Face} face */
function isFace(face) {
  const visible = face.visibility.reduce((sum, share) => sum + share, 0) / face.visibility.length;
  return face.presence >= leastPresence(face.box, MIN_PRESENCE) && visible >= LEAST_VISIBLE && !isLost(face);
}

/** Whether one frame alone does not make a new face of it: it is small, or in doubt. @param {Face} face */
function needsTrial(face) {
  return leastPresence(face.box, MIN_PRESENCE) < MIN_PRESENCE || doubt(face) > TRIAL_ABOVE;
}

/** @param {Box} before @param {Box} after */
export function movesLikeAFace(before, after) {
  const growth = longerSide(after) / longerSide(before);
  const [[x, y], [u, v]] = [centre(before), centre(after)];
  return growth >= 1 / MOST_GROWTH && growth <= MOST_GROWTH && Math.hypot(u - x, v - y) <= MOST_SHIFT * longerSide(before);
}

/** Whether a box lies on one of the faces, by the tight box of its landmarks. @param {Box} box @param {Face[]} faces */
function isOnAny(box, faces) {
  return faces.some(({ landmarks }) => {
    const other = tightBox(landmarks);
    const share = commonArea(box, other) / Math.min(area(box), area(other));
    return boxIou(box, other) >= SAME_IOU || share >= SAME_SHARE;
  });
}
