// Answers events with the function whose bundle the first argument names. Node would load a compiler for TypeScript.
let logBytes = 0;
process.stdout.write = (chunk) => {
  logBytes += Buffer.byteLength(chunk);
  return true;
};

const beforeMs = cpuMs();
const { handler } = await import(process.argv[2]);
const startMs = cpuMs();
process.on("message", async (event) => {
  logBytes = 0;
  const beforeMs = cpuMs();
  const response = await handler(event, { awsRequestId: crypto.randomUUID() });
  process.send({ cpuMs: cpuMs() - beforeMs, logBytes, memoryMb: process.memoryUsage.rss() / 2 ** 20, response });
});
process.send({ importMs: startMs - beforeMs, startMs });

/** CPU time so far, of all threads. */
function cpuMs() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
