/**
 * Drives the built page in Chromium, as somebody would: opens photos, uses the camera, saves the numbers.
 *
 *     node web/test/drive.mjs < task.json > result.json
 *
 * The task: `chromium`, the browser's file; `url`, of the page; `photos`, files to open one after the other; `shot`, where
 * a screenshot of the last one goes, with the map on; `video`, a .y4m or .mjpeg file that stands for the camera; `seconds`,
 * how long to watch it; `frameMs`, if given, how much the page's clock goes on with each frame of a second such watch, so
 * that the face detector runs as often as on a machine that is fast enough; or `until`, a pattern that the page says by
 * itself and once more when the first photo is opened, which is then all. The result: what the page said and saved, what it asked for, what went wrong, and the
 * CPU time of the page's process, which says more than the clock on a busy machine.
 */
import { readFileSync } from "node:fs";
import { chromium } from "playwright-core";

const task = JSON.parse(readFileSync(0, "utf8"));
const browser = await chromium.launch({
  executablePath: task.chromium,
  args: [
    "--no-sandbox",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    ...(task.video ? [`--use-file-for-fake-video-capture=${task.video}`] : []),
  ],
});
const page = await browser.newPage({ viewport: { width: 600, height: 810 }, acceptDownloads: true });
page.setDefaultTimeout(100_000);
const requested = [];
const wrong = [];
page.context().on("request", (request) => requested.push(request.url()));
page.on("pageerror", (error) => wrong.push(String(error)));
page.on("console", (message) => message.type() === "error" && wrong.push(message.text()));

const said = () => page.textContent("#status");
async function waitFor(pattern) {
  const isSaid = (text) => new RegExp(text).test(document.getElementById("status").textContent);
  try {
    await page.waitForFunction(isSaid, pattern, { timeout: 100_000 });
  } catch {
    throw new Error(`waited for ${pattern}; the page says: ${await said()}; ${wrong.join("; ")}`);
  }
}
async function saved() {
  if (await page.isDisabled("#save")) return [];
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("#save")]);
  return JSON.parse(readFileSync(await download.path(), "utf8"));
}

const system = await browser.newBrowserCDPSession();
async function cpuMs() {
  const { processInfo } = await system.send("SystemInfo.getProcessInfo");
  const ofPages = processInfo.filter(({ type }) => type === "renderer").map(({ cpuTime }) => 1000 * cpuTime);
  return ofPages.reduce((sum, time) => sum + time, 0);
}

await page.addInitScript(() => {
  const devices = globalThis.navigator.mediaDevices;
  const open = devices?.getUserMedia.bind(devices);
  globalThis.tracks = [];
  if (open) devices.getUserMedia = async (wanted) => {
    await new Promise((resolve) => setTimeout(resolve, 300)); // as long as somebody thinks about it
    const stream = await open(wanted);
    globalThis.tracks.push(...stream.getTracks());
    return stream;
  };
});
const result = { photos: [] };
let cpuBefore = await cpuMs();
await page.goto(task.url);
if (task.until) {
  await waitFor(task.until);
  await page.setInputFiles("#file", task.photos[0]);
  await waitFor(task.until);
  console.log(JSON.stringify({ said: await said() }));
  await browser.close();
  process.exit();
}
await waitFor("^Ready");
for (const photo of task.photos ?? []) {
  const began = performance.now();
  await page.setInputFiles("#file", photo);
  await waitFor("faces? in .* ms|cannot read");
  const waitedMs = performance.now() - began;
  const cpu = await cpuMs();
  result.photos.push({ said: await said(), waitedMs, cpuMs: cpu - cpuBefore, faces: await saved() });
  cpuBefore = await cpuMs();
}
if (task.shot) {
  await page.check("#map");
  await page.screenshot({ path: task.shot });
  await page.uncheck("#map");
}
if (task.video) {
  await page.dblclick("#camera"); // the second click falls while the camera is asked for
  await waitFor("faces?, .* frames per second");
  await page.evaluate(() => {
    globalThis.frames_shown = 0;
    new MutationObserver(() => globalThis.frames_shown++).observe(document.getElementById("status"), { childList: true });
  });
  const watch = async () => {
    const [cpu, frames] = [await cpuMs(), await page.evaluate(() => globalThis.frames_shown)];
    await page.waitForTimeout(1000 * task.seconds);
    return ((await cpuMs()) - cpu) / ((await page.evaluate(() => globalThis.frames_shown)) - frames);
  };
  const [perFrame, speed] = [await watch(), await said()];
  if (task.frameMs) {
    await page.evaluate((frameMs) => {
      const [now, frames] = [performance.now(), globalThis.frames_shown];
      performance.now = () => now + frameMs * (globalThis.frames_shown - frames);
    }, task.frameMs);
  }
  const perFrameInTime = task.frameMs ? await watch() : null;
  await page.click("#camera");
  await page.waitForTimeout(1000);
  const frame = await page.evaluate(() => document.getElementById("picture").toDataURL("image/png"));
  const live = await page.evaluate(() => globalThis.tracks.filter(({ readyState }) => readyState === "live").length);
  result.camera = { live, said: speed, cpuMsPerFrame: perFrame, cpuMsPerFrameInTime: perFrameInTime, faces: await saved(), frame };
}
// What the page promises: neither it nor its worker reaches another machine.
const reach = (url) => fetch(url).then(() => "reached", () => "refused");
const other = task.url.replace("127.0.0.1", "localhost");
result.reached = [await page.evaluate(reach, other), await page.workers()[0].evaluate(reach, other)];
wrong.splice(0, wrong.length, ...wrong.filter((text) => !text.includes("Content Security Policy")));
await browser.close();
console.log(JSON.stringify({ ...result, requested, wrong }));
