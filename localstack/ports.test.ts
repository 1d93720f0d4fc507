import { once } from "node:events";
import { createServer } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { freePorts } from "../testkit/stack.ts";
import { describePortProblem, findPortProblem } from "./ports.ts";
import { readSettings } from "./settings.ts";

const ALL = ["API_PORT", "METRICS_PORT", "AWS_PORT", "DYNAMODB_PORT"] as const;

async function settingsWith(environment: Readonly<Record<string, string>>) {
  return readSettings({ ...(await freePorts(...ALL)), ...environment });
}

test("free ports are no problem, and stay free", async () => {
  const settings = await settingsWith({});
  expect(await findPortProblem(settings, ALL)).toBeUndefined();
  expect(await findPortProblem(settings, ALL)).toBeUndefined();
});

test.each(ALL)("a port that another process listens on is taken: %s", async (name) => {
  const settings = await settingsWith({});
  const server = createServer().listen(settings[name], "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
  });
  expect(await findPortProblem(settings, ALL)).toBe(`Port ${settings[name]} is taken: set ${name} to a free one`);
});

test("two settings of one port are named", async () => {
  const { PORT } = await freePorts("PORT");
  expect(await findPortProblem(await settingsWith({ API_PORT: PORT, METRICS_PORT: PORT }), ALL)).toBe(
    `API_PORT and METRICS_PORT are both ${PORT}: set one of them to another port`,
  );
});

test.each([
  // An address for documentation, which no machine has.
  ["API_HOST", "192.0.2.1", "EADDRNOTAVAIL"],
  ["METRICS_HOST", "host.invalid", "ENOTFOUND"],
])("a host that can't be listened on is not a port that is taken: %s=%s", async (name, host, code) => {
  expect(await findPortProblem(await settingsWith({ [name]: host }), ALL)).toMatch(
    new RegExp(`^${name}=${host}: can't be listened on \\(.*${code}.*\\)$`),
  );
});

test("a port that needs privileges is not one that is taken", async () => {
  const error = Object.assign(new Error("listen EACCES: permission denied 127.0.0.1:80"), { code: "EACCES" });
  expect(describePortProblem(error, await settingsWith({ API_PORT: "80" }), "API_PORT", ALL)).toBe(
    "API_PORT=80: this user may not listen on it: set API_PORT to 1024 or above",
  );
});
