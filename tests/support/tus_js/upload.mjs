// Sends a file with tus-js-client as an application would: node upload.mjs ENDPOINT FILE CHUNK_BYTES HOLD_BYTES
// Once HOLD_BYTES have arrived it waits for the end of its input, so that the test ends the server before all is sent.
// Prints each request, so that the test sees where the client went on, and at last the job.
import { createReadStream, statSync } from "node:fs";
import * as tus from "tus-js-client";

const [endpoint, path, chunkBytes, holdBytes] = process.argv.slice(2);
const inputEnds = new Promise((resolve) => process.stdin.on("end", resolve).resume());

const upload = new tus.Upload(createReadStream(path), {
  endpoint,
  chunkSize: Number(chunkBytes),
  uploadSize: statSync(path).size,
  retryDelays: Array(600).fill(500),
  metadata: { filename: "op 3.mp4", filetype: "video/mp4", outputs: "frames" },
  async onBeforeRequest(request) {
    const offset = request.getHeader("Upload-Offset");
    if (Number(offset ?? 0) >= Number(holdBytes)) await inputEnds;
    console.log(request.getMethod(), offset ?? "-");
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
