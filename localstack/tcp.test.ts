import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";
import { afterEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { listenForTest } from "../testkit/perTest.ts";
import { freePorts } from "../testkit/ports.ts";
import { readSettings } from "./settings.ts";
import { describePortProblem, findPortProblem, listen, statusOf, untilReady } from "./tcp.ts";

const ALL = ["API_PORT", "METRICS_PORT", "AWS_PORT", "DYNAMODB_PORT"] as const;

async function settingsWith(environment: Readonly<Record<string, string>>) {
  return readSettings({ ...(await freePorts(...ALL)), ...environment });
}

test("free ports are no problem, and remain free", async () => {
  const settings = await settingsWith({});
  expect(await findPortProblem(settings, ALL)).toBeUndefined();
  expect(await findPortProblem(settings, ALL)).toBeUndefined();
});

test.each(ALL)("a port that another process listens on is taken: %s", async (name) => {
  const settings = await settingsWith({});
  const server = createServer();
  await listen(server, settings[name]);
  onTestFinished(() => {
    server.close();
  });
  expect(await findPortProblem(settings, ALL)).toBe(`Port ${settings[name]} is taken: set ${name} to a free one`);
});

test("two settings with the same port are both named", async () => {
  const { PORT } = await freePorts("PORT");
  expect(await findPortProblem(await settingsWith({ API_PORT: PORT, METRICS_PORT: PORT }), ALL)).toBe(
    `API_PORT and METRICS_PORT are both ${PORT}: set one of them to another port`,
  );
});

test.each([
  // An address for documentation, which no machine has.
  ["API_HOST", "192.0.2.1", "EADDRNOTAVAIL"],
  ["METRICS_HOST", "host.invalid", "ENOTFOUND"],
])("an invalid host is reported as such, not as a taken port: %s=%s", async (name, host, code) => {
  expect(await findPortProblem(await settingsWith({ [name]: host }), ALL)).toMatch(
    new RegExp(`^${name}=${host}: can't be listened on \\(.*${code}.*\\)$`),
  );
});

test("a port that needs privileges is reported as such, not as a taken port", async () => {
  const error = Object.assign(new Error("listen EACCES: permission denied 127.0.0.1:80"), { code: "EACCES" });
  expect(describePortProblem(error, await settingsWith({ API_PORT: "80" }), "API_PORT", ALL)).toBe(
    "API_PORT=80: this user may not listen on it: set API_PORT to 1024 or above",
  );
});

describe("untilReady", () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  test("resolves when the check succeeds", async () => {
    const checks = [false, false, true];
    expect(await untilReady("The API", async () => checks.shift() ?? false)).toBeUndefined();
    expect(checks).toEqual([]);
  });

  test("reports that the program ended before it was ready", async () => {
    const ended = Promise.resolve("The API ended with exit code 1");
    expect(await untilReady("The API", async () => false, ended)).toBe("The API ended with exit code 1");
  });

  test("reports that the program was not ready within a minute", async () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    const checkForHalfAMinute = async () => {
      vi.advanceTimersByTime(30_000);
      return false;
    };
    expect(await untilReady("The API", checkForHalfAMinute)).toBe("The API was not ready within 60 s");
  });
});

test("a server that responds with any status is distinguished from one that does not listen", async () => {
  const server = createHttpServer((_request, response) => {
    response.writeHead(503).end("Not yet");
  });
  const url = `http://127.0.0.1:${await listen(server)}`;
  expect(await statusOf(url)).toBe(503);
  server.close();
  server.closeAllConnections();
  expect(await statusOf(url)).toBeUndefined();
});

test("a server that accepts connections and sends nothing counts as one that does not listen, within 5 s", async () => {
  const server = createServer((socket) => void socket.resume());
  const url = `http://127.0.0.1:${await listenForTest(server)}`;
  const startMs = performance.now();
  expect(await statusOf(url)).toBeUndefined();
  expect(performance.now() - startMs).toBeLessThan(5000);
});
