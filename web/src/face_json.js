/** A face as plain numbers, with the keys and the rounding of Python's Face.to_json, which Face.from_json reads. */

// Of occlumark/face/face.py: a landmark with less visibility counts as occluded.
export const HIDDEN_BELOW = 0.5;

/**
 * @param {import("./recrop.js").Face} face
 * @param {Record<string, number[]>} regions
 */
export function faceToJson(face, regions) {
  const { rows, columns, values } = face.occlusionMap;
  const bytes = Array.from(values, (value) => String.fromCharCode(Math.round(value * 255)));
  const shareHidden = (/** @type {number[]} */ indices) =>
    indices.filter((i) => face.visibility[i] < HIDDEN_BELOW).length / indices.length;
  return {
    box: face.box.map((value) => rounded(value, 2)),
    score: rounded(face.score, 3),
    landmarks: face.landmarks.map((point) => point.map((value) => rounded(value, 2))),
    visibility: face.visibility.map((value) => Math.floor(value * 1000 + 1e-6) / 1000),
    hidden_regions: Object.fromEntries(
      Object.entries(regions).map(([name, indices]) => [name, rounded(shareHidden(indices), 3)]),
    ),
    expected_error: face.expectedError.map((value) => rounded(value, 2)),
    presence: rounded(face.presence, 3),
    occlusion_map: `${rows}x${columns}:${btoa(bytes.join(""))}`,
    crop: { matrix: face.crop.matrix.map((row) => row.map((value) => Number(value.toPrecision(9)))), size: face.crop.size },
  };
}

/** Halves to the even neighbour, as Python rounds them. @param {number} value @param {number} digits */
function rounded(value, digits) {
  const below = Math.floor(value * 10 ** digits);
  const isHalf = value * 10 ** digits - below === 0.5 && Number.isInteger(value * 2 ** (digits + 1));
  return isHalf ? (below + Math.abs(below % 2)) / 10 ** digits : Number(value.toFixed(digits));
}
