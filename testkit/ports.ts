import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { listen } from "../localstack/tcp.ts";

/** Below the ports that Linux, macOS and Windows give to outgoing connections and to servers that ask for any port. */
const PORTS = { from: 10_240, to: 32_768 };
const BLOCK_SIZE = 32;

/** The rest of the block that this process has claimed. */
let claimed: number[] = [];

/**
 * Ports that no process listens on now, and that no other caller gets: a stack that is given them listens on them
 * seconds later.
 */
export async function freePorts<const Names extends readonly string[]>(
  ...names: Names
): Promise<Record<Names[number], string>> {
  const ports: Record<string, string> = {};
  for (const name of names) ports[name] = String(await freePort());
  return ports as Record<Names[number], string>;
}

/** Free ports for a stack. */
export function freeStackPorts() {
  return freePorts("API_PORT", "AWS_PORT", "DYNAMODB_PORT", "METRICS_PORT");
}

async function freePort(): Promise<number> {
  for (;;) {
    const port = claimed.pop();
    if (port === undefined) claimed = await claimBlock();
    else if (await isFree(port)) return port;
  }
}

/** The block belongs to this process as long as the process listens on the block's first port. */
async function claimBlock(): Promise<number[]> {
  for (;;) {
    const first = randomInt(PORTS.from / BLOCK_SIZE, PORTS.to / BLOCK_SIZE) * BLOCK_SIZE;
    const claim = createServer().unref();
    if (await canListen(claim, first)) return Array.from({ length: BLOCK_SIZE - 1 }, (_, index) => first + 1 + index);
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  if (!(await canListen(server, port))) return false;
  await once(server.close(), "close");
  return true;
}

function canListen(server: Server, port: number): Promise<boolean> {
  return listen(server, port).then(
    () => true,
    () => false,
  );
}
