/** An exported network behind onnxruntime-web. */
import * as ort from "onnxruntime-web";

// A static page is not isolated as threads need it (cross-origin headers); one thread runs everywhere.
ort.env.wasm.numThreads = 1;

/** @typedef {Record<string, { data: Float32Array, dims: readonly number[] }>} Outputs */

/** A session. */
export class Network {
  /** @param {ort.InferenceSession} session */
  constructor(session) {
    this.session = session;
  }

  /**
   * @param {string} url of the ONNX file
   * @param {string} wasmUrl of onnxruntime-web's own file
   */
  static async open(url, wasmUrl) {
    ort.env.wasm.wasmPaths = { wasm: wasmUrl };
    return new Network(await ort.InferenceSession.create(url, { executionProviders: ["wasm"] }));
  }

  /**
   * @param {string} name of the input
   * @param {import("./pixels.js").Rgb[]} pictures all of one size
   * @returns {Promise<Outputs>}
   */
  async run(name, pictures) {
    const { width, height } = pictures[0];
    const bytes = new Uint8Array(pictures.length * width * height * 3);
    for (const [i, picture] of pictures.entries()) bytes.set(picture.data, i * picture.data.length);
    const outputs = await this.session.run({ [name]: new ort.Tensor("uint8", bytes, [pictures.length, height, width, 3]) });
    return /** @type {Outputs} */ (/** @type {unknown} */ (outputs));
  }
}
