/**
 * Photo in, faces out, as occlumark/detect.py has it.
 *
 * @typedef {import("./recrop.js").Face} Face
 * @typedef {import("./pixels.js").Rgba} Rgba
 * @typedef {import("./finder.js").Found} Found
 *
 * @typedef {object} Settings what the build writes of the packaged networks (settings.json)
 * @property {string} model the landmark network's name
 * @property {import("./geometry.js").CropConfig} crop
 * @property {import("./geometry.js").Point[]} mean_face landmarks 17 to 67, seen from the front
 * @property {number[][]} contours indices along each line to draw
 * @property {Record<string, number[]>} regions
 */
import { withoutDoubles } from "./doubles.js";
import { CropTransform, tightBox } from "./geometry.js";
import { CANDIDATE_SCORE, SCORE } from "./finder.js";
import { cut } from "./pixels.js";
import { certainty, counts, MIN_PRESENCE } from "./presence.js";
import { cropAround, doubt, isLost, lessDoubtful, needsRecrop, turnedCrops } from "./recrop.js";

const RULED_OUT = 0.02;

/** Finds faces and their landmarks. */
export class Detector {
  /**
   * @param {import("./network.js").Network} landmarker
   * @param {import("./finder.js").Finder} finder
   * @param {Settings} settings
   */
  constructor(landmarker, finder, settings) {
    this.landmarker = landmarker;
    this.finder = finder;
    this.settings = settings;
  }

  /** @param {Rgba} photo @returns {Promise<Face[]>} */
  async detect(photo) {
    const found = await this.finder.find(photo, CANDIDATE_SCORE);
    const faces = await this.detectIn(photo, found.filter((face) => this.isFace({ ...face, presence: 1 })));
    return withoutDoubles(faces.filter((face) => this.isFace(face)));
  }

  /** Whether a box of the finder's shows a face. @param {Pick<Face, "score" | "box" | "presence">} face */
  isFace({ score, box, presence }) {
    return (score >= SCORE || counts(box)) && certainty(score, box, presence) >= MIN_PRESENCE;
  }

  /** Whether a candidate's crop clearly shows no face: no other crop is worth its time. @param {Pick<Face, "score" | "box" | "presence">} face */
  isRuledOut(face) {
    const { score, box, presence } = face;
    return score < SCORE && certainty(score, box, presence) < RULED_OUT * MIN_PRESENCE;
  }

  /** The landmarks in boxes that the finder gave. @param {Rgba} photo @param {Found[]} found @returns {Promise<Face[]>} */
  async detectIn(photo, found) {
    const { crop, mean_face: meanFace } = this.settings;
    const faces = await this.predict(photo, found, found.map(({ box }) => CropTransform.fromBox(box, crop)));
    for (const [i, face] of faces.entries()) {
      if (!isLost(face) || this.isRuledOut(face)) continue;
      const turned = await this.predict(photo, [face, face, face], turnedCrops(face.box, crop));
      faces[i] = lessDoubtful(face, turned);
    }
    const again = [...faces.keys()].filter((i) => needsRecrop(faces[i], meanFace) && !this.isRuledOut(faces[i]));
    const crops = again.map((i) => cropAround(faces[i].landmarks, meanFace, crop));
    const recropped = await this.predict(photo, again.map((i) => found[i]), crops);
    for (const [k, i] of again.entries()) {
      if (!(isLost(recropped[k]) && doubt(faces[i]) < doubt(recropped[k]))) faces[i] = recropped[k];
    }
    return faces;
  }

  /** A face for each whose landmarks are about known, as from a video's last frame. @param {Rgba} photo @param {Face[]} last @returns {Promise<Face[]>} */
  async detectNear(photo, last) {
    const { crop, mean_face: meanFace } = this.settings;
    const found = last.map(({ landmarks, score }) => ({ box: tightBox(landmarks), score }));
    return this.predict(photo, found, last.map(({ landmarks }) => cropAround(landmarks, meanFace, crop)));
  }

  /**
   * What the network predicts in each crop.
   *
   * @param {Rgba} photo
   * @param {Found[]} found
   * @param {CropTransform[]} crops
   * @returns {Promise<Face[]>}
   */
  async predict(photo, found, crops) {
    /** @type {Face[]} */
    const faces = [];
    for (const [i, crop] of crops.entries()) {
      // One by one: on one thread a batch is no faster.
      const outputs = await this.landmarker.run("crops", [cut(photo, crop)]);
      faces.push(asFace(outputs, found[i], crop));
    }
    return faces;
  }
}

/**
 * @param {import("./network.js").Outputs} outputs of one crop
 * @param {Found} found
 * @param {CropTransform} crop
 * @returns {Face}
 */
function asFace(outputs, { box, score }, crop) {
  const { landmarks, visibility, occlusion_map: map, expected_error: error, presence } = outputs;
  /** @type {import("./geometry.js").Point[]} */
  const points = Array.from({ length: landmarks.data.length / 2 }, (_, i) => [landmarks.data[2 * i], landmarks.data[2 * i + 1]]);
  return {
    box,
    score,
    landmarks: crop.toPhoto(points),
    visibility: Array.from(visibility.data, share),
    expectedError: Array.from(error.data, (value) => Math.max(0, value) / crop.zoom),
    presence: share(presence.data[0]),
    occlusionMap: { values: map.data.map(share), rows: map.dims[1], columns: map.dims[2] },
    crop,
  };
}

/** @param {number} value */
function share(value) {
  return Math.min(Math.max(value, 0), 1);
}
