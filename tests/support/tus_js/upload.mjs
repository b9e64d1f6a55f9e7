// Sends a file with tus-js-client as an application would: node upload.mjs ENDPOINT FILE CHUNK_BYTES
// Prints each request, so that the test sees where the client went on, and at last the job.
import { createReadStream, statSync } from "node:fs";
import * as tus from "tus-js-client";

const [endpoint, path, chunkBytes] = process.argv.slice(2);
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

const upload = new tus.Upload(createReadStream(path), {
  endpoint,
  chunkSize: Number(chunkBytes),
  uploadSize: statSync(path).size,
  retryDelays: Array(60).fill(500),
  metadata: { filename: "op 3.mp4", filetype: "video/mp4", outputs: "frames" },
  async onBeforeRequest(request) {
    await pause(100); // time for the test to end the server between and during parts
    console.log(request.getMethod(), request.getHeader("Upload-Offset") ?? "-");
  },
  onAfterResponse(request, response) {
    const job = response.getHeader("X-Video");
    if (job) console.log("job", job);
  },
  onError(error) {
    console.error(error);
    process.exit(1);
  },
});
upload.start();
