import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { setTimeout } from "node:timers/promises";
import type { Settings } from "./settings.ts";

export type PortSetting = "API_PORT" | "METRICS_PORT" | "AWS_PORT" | "DYNAMODB_PORT";
type Addresses = Readonly<Pick<Settings, PortSetting | "API_HOST" | "METRICS_HOST">>;

export const READY_TIMEOUT_MS = 60_000;
const READY_CHECK_INTERVAL_MS = 20;
const RESPONSE_TIMEOUT_MS = 2000;

/**
 * Starts to listen: by default on a free port of the loopback interface.
 *
 * @returns the port
 */
export async function listen(server: Server, port = 0, host = "127.0.0.1"): Promise<number> {
  await once(server.listen(port, host), "listening");
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("The server has no port");
  return address.port;
}

/**
 * Listens on the ports of these settings for a moment, on all of them at the same time.
 *
 * @returns a sentence about the first port that can't be listened on; `undefined` when there is none
 */
export async function findPortProblem(
  addresses: Addresses,
  names: readonly PortSetting[],
): Promise<string | undefined> {
  const servers: Server[] = [];
  try {
    for (const name of names) {
      const server = createServer();
      try {
        await listen(server, addresses[name], hostOf(addresses, name)[1]);
      } catch (error) {
        return describePortProblem(error, addresses, name, names);
      }
      servers.push(server);
    }
    return undefined;
  } finally {
    await Promise.all(servers.map((server) => once(server.close(), "close")));
  }
}

/** A sentence about the error with which a server could not listen on the port of `name`, one of the `names`. */
export function describePortProblem(
  error: unknown,
  addresses: Addresses,
  name: PortSetting,
  names: readonly PortSetting[],
): string {
  if (!(error instanceof Error && "code" in error)) throw error;
  const port = addresses[name];
  if (error.code === "EADDRINUSE") {
    const duplicate = names.find((other) => other !== name && addresses[other] === port);
    return duplicate
      ? `${duplicate} and ${name} are both ${port}: set one of them to another port`
      : portIsTaken(name, port);
  }
  if (error.code === "EACCES") return `${name}=${port}: this user may not listen on it: set ${name} to 1024 or above`;
  const [setting, host] = hostOf(addresses, name);
  return `${setting}=${host}: can't be listened on (${error.message})`;
}

/** The engines listen on the loopback interface only. */
function hostOf({ API_HOST, METRICS_HOST }: Addresses, name: PortSetting): [setting: string, host: string] {
  if (name === "API_PORT") return ["API_HOST", API_HOST];
  return name === "METRICS_PORT" ? ["METRICS_HOST", METRICS_HOST] : ["host", "127.0.0.1"];
}

export function portIsTaken(name: PortSetting, port: number): string {
  return `Port ${port} is taken: set ${name} to a free one`;
}

/** @returns the status with which the URL responds; `undefined` when there is no response within two seconds */
export async function statusOf(url: string): Promise<number | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(RESPONSE_TIMEOUT_MS) });
    await response.body?.cancel();
    return response.status;
  } catch {
    return undefined;
  }
}

/**
 * Waits until a server is ready, for {@link READY_TIMEOUT_MS} at most.
 *
 * @param ended resolves with a sentence when the server's process ends; by default there is no such process
 * @returns a sentence about why the server is not ready; `undefined` when it is
 */
export async function untilReady(
  name: string,
  isReady: () => Promise<boolean>,
  ended = new Promise<string>(() => {}),
): Promise<string | undefined> {
  const deadlineMs = performance.now() + READY_TIMEOUT_MS;
  while (performance.now() < deadlineMs) {
    if (await isReady()) return undefined;
    const how = await Promise.race([ended, setTimeout(READY_CHECK_INTERVAL_MS)]);
    if (how !== undefined) return how;
  }
  return `${name} was not ready within ${READY_TIMEOUT_MS / 1000} s`;
}
