import { once } from "node:events";
import { connect, createServer, type Server } from "node:net";
import { setTimeout } from "node:timers/promises";
import type { Settings } from "./settings.ts";

type PortSetting = "API_PORT" | "METRICS_PORT" | "AWS_PORT" | "DYNAMODB_PORT";
type Addresses = Readonly<Pick<Settings, PortSetting | "API_HOST" | "METRICS_HOST">>;

/**
 * Listens on the ports of these settings, on all of them at once, for a moment.
 *
 * @returns a sentence about the first that can't be listened on; `undefined` when all can
 */
export async function findPortProblem(
  addresses: Addresses,
  names: readonly PortSetting[],
): Promise<string | undefined> {
  const servers: Server[] = [];
  try {
    for (const name of names) {
      const [, host] = hostOf(addresses, name);
      const server = createServer().listen(addresses[name], host);
      try {
        await once(server, "listening");
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

/** The engines listen on the loopback interface, whatever the settings say. */
function hostOf({ API_HOST, METRICS_HOST }: Addresses, name: PortSetting): [setting: string, host: string] {
  if (name === "API_PORT") return ["API_HOST", API_HOST];
  return name === "METRICS_PORT" ? ["METRICS_HOST", METRICS_HOST] : ["host", "127.0.0.1"];
}

export function portIsTaken(name: PortSetting, port: number): string {
  return `Port ${port} is taken: set ${name} to a free one`;
}

/** Resolves once something listens on the port of the loopback interface. */
export async function portAnswers(port: number, signal: AbortSignal): Promise<void> {
  while (!(await canConnect(port))) await setTimeout(10, undefined, { signal });
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
