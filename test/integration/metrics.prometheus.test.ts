import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import * as z from "zod";
import { readPanel, readPanels } from "../../localstack/dashboard.ts";
import { Client, newUser, problemIn, transactionIn } from "../support/client.ts";
import { freePorts, run, startStack } from "../support/stack.ts";

/** Prometheus and its push gateway as Debian packages them; without them this test can't run. */
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
  await expect.poll(async () => (await fetch(`${url}/-/ready`)).status, { timeout: 20_000, interval: 200 }).toBe(200);
}

/** Our configuration, with the addresses of this test's stack, and in a hurry. */
function configure(folder: string, addresses: Readonly<Record<string, string>>): string {
  cpSync(CONFIG, folder, { recursive: true });
  const file = join(folder, "prometheus.yml");
  let text = readFileSync(file, "utf8").replace("scrape_interval: 5s", "scrape_interval: 1s");
  for (const [name, address] of Object.entries(addresses)) text = text.replace(`[${name}]`, `["${address}"]`);
  writeFileSync(file, text);
  return file;
}

describe.skipIf(!installed)("a real Prometheus (needs Debian's prometheus and prometheus-pushgateway)", () => {
  test("finds data for every panel of the dashboard, and counts as the stack does", async () => {
    const stack = await startStack();
    onTestFinished(() => stack.stop().then(() => {}));
    const ports = await freePorts("prometheus", "gateway");
    const gatewayUrl = `http://127.0.0.1:${ports.gateway}`;
    const prometheusUrl = `http://127.0.0.1:${ports.prometheus}`;
    const folder = mkdtempSync(join(tmpdir(), "antler-prometheus-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
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
    const query = async (expr: string) => {
      const response = await fetch(`${prometheusUrl}/api/v1/query?query=${encodeURIComponent(expr)}`);
      return valueSchema.parse(await response.json()).data.result[0]?.value[1];
    };
    await expect.poll(() => query('up{job="antler"}'), { timeout: 20_000, interval: 200 }).toBe("1");

    const startSeconds = Math.floor(Date.now() / 1000);
    const alice = new Client(stack.apiUrl, newUser());
    for (let second = 1; second <= 6; second++) {
      transactionIn(await alice.deposit("USD", "2.00", { wait: 10 }), 201);
      problemIn(await alice.withdraw("USD", "99.00", { wait: 10 }), 422);
      await leaveClientFigures(gatewayUrl, second);
      await setTimeout(1000);
    }
    const verified = await run("scripts/verify.ts", [], { ...stack.environment, PUSHGATEWAY_URL: gatewayUrl });
    expect(verified).toMatchObject({ code: 0, output: expect.stringContaining("6 posted, 6 rejected") });
    await setTimeout(2500);

    const span = { startSeconds, endSeconds: Math.floor(Date.now() / 1000), stepSeconds: 1, scrapeSeconds: 1 };
    const shown = new Map<string, number | undefined>();
    for (const panel of readPanels().filter(({ type }) => type !== "row")) {
      const [first] = await readPanel(panel, prometheusUrl, span);
      shown.set(panel.title, first?.points.at(-1)?.[1]);
    }
    const withoutData = [...shown].filter(([, value]) => value === undefined).map(([title]) => title);
    expect(withoutData).toEqual([]);
    expect(shown.get("Stack")).toBe(1);
    expect(shown.get("Wallets verified")).toBe(1);
    expect(shown.get("Wallets with discrepancies")).toBe(0);
    expect(shown.get("Dead-letter messages")).toBe(0);

    expect(await query("sum(antler_commands_total)")).toBe("12");
    expect(await query("antler_decision_delay_seconds_count")).toBe("12");
  }, 120_000);
});

/** What Artillery's publish-metrics leaves, by the names that it has there. */
async function leaveClientFigures(gatewayUrl: string, second: number): Promise<void> {
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
