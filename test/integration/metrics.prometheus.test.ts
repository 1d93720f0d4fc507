import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import * as z from "zod";
import { ADMIN_SCOPE } from "../../lib/http/authenticate.ts";
import { listen } from "../../localstack/tcp.ts";
import { clientOf, movement, newUser, posted, walletOf } from "../../testkit/client.ts";
import { readPanels } from "../../testkit/dashboard.ts";
import { folderForTest, stackForTest } from "../../testkit/perTest.ts";
import { freePorts } from "../../testkit/ports.ts";
import { run } from "../../testkit/stack.ts";

/** Debian's packages of Prometheus and its push gateway. Without them this test is skipped. */
const installed = ["prometheus", "prometheus-pushgateway"].every(
  (program) => spawnSync(program, ["--version"]).status === 0,
);
const CONFIG = join(import.meta.dirname, "../../localstack/prometheus");

const valueSchema = z.object({
  data: z.object({ result: z.array(z.object({ value: z.tuple([z.number(), z.string()]) })) }),
});

function start(command: string, args: readonly string[]): ChildProcess {
  const child = spawn(command, args, { stdio: "ignore" });
  onTestFinished(async () => {
    child.kill("SIGTERM");
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  });
  return child;
}

async function untilReady(url: string): Promise<void> {
  await expect.poll(async () => (await fetch(`${url}/-/ready`)).status, { interval: 200 }).toBe(200);
}

/** Our configuration with the addresses of this test's stack and a scrape interval of a second. */
function configure(folder: string, addresses: Readonly<Record<string, string>>): string {
  cpSync(CONFIG, folder, { recursive: true });
  const file = join(folder, "prometheus.yml");
  let text = readFileSync(file, "utf8").replace("scrape_interval: 5s", "scrape_interval: 1s");
  for (const [name, address] of Object.entries(addresses)) text = text.replace(`[${name}]`, `["${address}"]`);
  writeFileSync(file, text);
  return file;
}

describe.skipIf(!installed)("a real Prometheus (needs Debian's prometheus and prometheus-pushgateway)", () => {
  test("has data for every panel of the dashboard, and the stack's counts", async () => {
    const stack = await stackForTest();
    const ports = await freePorts("prometheus", "gateway");
    const gatewayUrl = `http://127.0.0.1:${ports.gateway}`;
    const prometheusUrl = `http://127.0.0.1:${ports.prometheus}`;
    const folder = folderForTest();
    const config = configure(folder, {
      "api:9464": `127.0.0.1:${stack.environment.METRICS_PORT}`,
      "pushgateway:9091": `127.0.0.1:${ports.gateway}`,
    });
    start("prometheus-pushgateway", [`--web.listen-address=127.0.0.1:${ports.gateway}`]);
    start("prometheus", [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      `--web.listen-address=127.0.0.1:${ports.prometheus}`,
    ]);
    await Promise.all([untilReady(prometheusUrl), untilReady(gatewayUrl)]);
    const queryAll = async (expr: string) => {
      const response = await fetch(`${prometheusUrl}/api/v1/query?query=${encodeURIComponent(expr)}`);
      return valueSchema.parse(await response.json()).data.result.map(({ value }) => value[1]);
    };
    const query = async (expr: string) => (await queryAll(expr))[0];
    await expect.poll(() => query('up{job="antler"}'), { interval: 200 }).toBe("1");

    const receiver = createServer((_, response) => response.end());
    onTestFinished(() => void receiver.close());
    const { webhooks } = clientOf(stack.apiUrl, newUser(), ADMIN_SCOPE);
    await webhooks.create({ url: `http://127.0.0.1:${await listen(receiver)}/` });
    const alice = walletOf(stack.apiUrl);
    for (let second = 1; second <= 6; second++) {
      await posted(alice.deposit(movement("USD", "2.00")));
      expect(await alice.withdraw(movement("USD", "99.00"))).toMatchObject({ status: "rejected" });
      await pushClientMetrics(gatewayUrl, second);
      await setTimeout(1000);
    }
    const verified = await run("scripts/verify.ts", [], { ...stack.environment, PUSHGATEWAY_URL: gatewayUrl });
    expect(verified).toMatchObject({ code: 0, output: expect.stringContaining("6 posted, 6 rejected") });
    await setTimeout(2500);

    const shown = new Map<string, number>();
    for (const { title, targets } of readPanels()) {
      for (const { expr } of targets) {
        const values = await queryAll(expr.replaceAll("$__rate_interval", "1m"));
        const value = values.map(Number).find(Number.isFinite);
        if (value !== undefined && !shown.has(title)) shown.set(title, value);
      }
    }
    const withoutData = readPanels().filter(({ title }) => !shown.has(title));
    expect(withoutData).toEqual([]);
    expect(shown.get("Stack")).toBe(1);
    expect(shown.get("Wallets verified")).toBe(1);
    expect(shown.get("Wallets with discrepancies")).toBe(0);
    expect(shown.get("Dead-letter messages")).toBe(0);

    expect(await query("sum(antler_commands_total)")).toBe("12");
    expect(await query("antler_decision_delay_seconds_count")).toBe("12");
  });
});

/** Pushes metrics under the names that Artillery's publish-metrics uses. */
async function pushClientMetrics(gatewayUrl: string, second: number): Promise<void> {
  const lines = [
    "# TYPE artillery_counters counter",
    ...["http_requests", "http_responses"].map((metric) => `artillery_counters{metric="${metric}"} ${second * 2}`),
    'artillery_counters{metric="vusers_failed"} 0',
    "# TYPE artillery_summaries gauge",
    ...["p95", "p99"].map((percentile) => `artillery_summaries{metric="http_response_time_${percentile}"} 25`),
  ];
  const body = lines.map((line) => `${line}\n`).join("");
  const response = await fetch(`${gatewayUrl}/metrics/job/load`, { method: "POST", body });
  expect(response.status, await response.text()).toBe(200);
}
