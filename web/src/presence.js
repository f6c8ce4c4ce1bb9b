/** Whether a box shows a face, as occlumark/face/presence.py has it. */
import { longerSide } from "./geometry.js";

/** @typedef {import("./geometry.js").Box} Box */

export const MIN_PRESENCE = 0.5;
const PRESENCE_COUNTS = [16, 24];
const [SCORE, SIDE, PRESENCE, CONSTANT] = [2.95, -0.85, 0.363, 0.75];
const SAID = [0.01, 0.999];
const LARGEST_SIDE = 64;
const LEAST = 1e-6;

/** What a face's presence has to be where no score of the finder's counts. @param {Box} box @param {number} minPresence of a large face */
export function leastPresence(box, minPresence) {
  const [low, high] = PRESENCE_COUNTS;
  return minPresence * Math.min(Math.max((longerSide(box) - low) / (high - low), 0), 1);
}

/** Whether a box is large enough for its crop's presence to say something. @param {Box} box */
export function counts(box) {
  return longerSide(box) >= PRESENCE_COUNTS[0];
}

/** The presence that a face of 48 pixels found with 0.7 would have to be as sure. @param {number} score @param {Box} box @param {number} presence */
export function certainty(score, box, presence) {
  const said = Math.min(Math.max(logit(presence), logit(SAID[0])), logit(SAID[1]));
  const evidence = SCORE * logit(score) + SIDE * Math.log(Math.min(Math.max(longerSide(box), 1), LARGEST_SIDE)) + CONSTANT;
  return 1 / (1 + Math.exp(-said - evidence / PRESENCE));
}

/** @param {number} share */
function logit(share) {
  const inside = Math.min(Math.max(share, LEAST), 1 - LEAST);
  return Math.log(inside / (1 - inside));
}
