import { connect, createServer } from "node:net";
import { setTimeout } from "node:timers/promises";

export async function isPortFree(port: number, host: string): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", () => resolve(false));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
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
