import { spawnSync } from "node:child_process";
import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import * as z from "zod";
import type { RetryCause } from "../../lib/ledger/ports.ts";
import { METRICS } from "../../lib/runtime/metrics.ts";
import { readPanels } from "../../testkit/dashboard.ts";

const ROOT = join(import.meta.dirname, "../..");
const read = (path: string) => readFileSync(join(ROOT, path), "utf8");
/** CloudFormation's tags are ignored. */
const readYaml = (path: string): unknown => parse(read(path), { logLevel: "silent", merge: true });

const compose = z
  .object({
    services: z.record(
      z.string(),
      z.looseObject({
        image: z.string(),
        build: z.string().optional(),
        ports: z.array(z.string()).default([]),
        volumes: z.array(z.string()).default([]),
        environment: z.record(z.string(), z.string()).default({}),
      }),
    ),
    volumes: z.record(z.string(), z.null()),
  })
  .parse(readYaml("docker-compose.yml"));
const services = Object.entries(compose.services);
const rules = z
  .object({ groups: z.array(z.object({ rules: z.array(z.object({ alert: z.string(), expr: z.string() })) })) })
  .parse(readYaml("localstack/prometheus/alerts.yml"))
  .groups.flatMap((group) => group.rules);
const panels = readPanels();

describe("docker-compose.yml", () => {
  test("pins the version of every image, and builds our own", () => {
    for (const [name, { image, build }] of services) {
      if (build === undefined) expect(image, name).toMatch(/^[a-z]+\/[a-z]+:v?\d+\.\d+\.\d+$/);
      else expect(image, name).toBe("antler:local");
    }
    expect(read("Dockerfile")).toMatch(/^FROM node:\d+\.\d+\.\d+-bookworm-slim$/m);
  });

  test("publishes the ports that the README names, on the loopback interface only", () => {
    const published = services.flatMap(([, { ports }]) => ports);
    for (const port of ["4000:4000", "4566:4566", "9464:9464", "9090:9090", "3000:3000"]) {
      expect(published).toContain(`127.0.0.1:${port}`);
    }
    expect(published.filter((port) => !port.startsWith("127.0.0.1:"))).toEqual([]);
  });

  test("mounts only files of this repository and declared volumes", () => {
    for (const source of services.flatMap(([, { volumes }]) => volumes.map((volume) => volume.split(":")[0] ?? ""))) {
      expect(source.startsWith("./") ? existsSync(join(ROOT, source)) : source in compose.volumes, source).toBe(true);
    }
  });

  test("has service names that the configuration files refer to", () => {
    const hosts = services.flatMap(([, { environment }]) =>
      Object.values(environment).flatMap((value) => /^http:\/\/([^:/]+)/.exec(value)?.[1] ?? []),
    );
    const prometheus = z
      .object({
        rule_files: z.array(z.string()),
        scrape_configs: z.array(z.object({ static_configs: z.array(z.object({ targets: z.array(z.string()) })) })),
      })
      .parse(readYaml("localstack/prometheus/prometheus.yml"));
    const targets = prometheus.scrape_configs.flatMap(({ static_configs }) =>
      static_configs.flatMap((each) => each.targets),
    );
    const { datasources } = z
      .object({ datasources: z.array(z.object({ uid: z.string(), url: z.url() })) })
      .parse(readYaml("localstack/grafana/provisioning/datasources/prometheus.yml"));
    const all = [
      ...hosts,
      ...targets.map((target) => target.split(":")[0]),
      ...datasources.map(({ url }) => new URL(url).hostname),
    ];
    expect(all.length).toBeGreaterThan(5);
    for (const host of all) expect(Object.keys(compose.services)).toContain(host);
    for (const file of prometheus.rule_files) expect(existsSync(join(ROOT, "localstack/prometheus", file))).toBe(true);
    for (const { title, datasource } of panels) expect(datasource?.uid, title).toBe(datasources[0]?.uid);
  });

  test("includes in the image every file that the start, the load and the verify service import", () => {
    const included = read(".dockerignore")
      .split("\n")
      .filter((line) => line.startsWith("!"))
      .map((line) => line.slice(1));
    const imported = globSync(["{artillery,functions,infra,lib,localstack}/**/*.{ts,mts}", "scripts/verify.ts"], {
      cwd: ROOT,
    })
      .filter((file) => !file.endsWith(".test.ts"))
      .flatMap((file) =>
        [...read(file).matchAll(/from "(\.[^"]+)"/g)].map(([, target = ""]) => join(file, "..", target)),
      );
    for (const file of imported)
      expect(
        included.some((folder) => file === folder || file.startsWith(`${folder}/`)),
        file,
      ).toBe(true);
  });
});

describe("package-lock.json", () => {
  const { packages } = z
    .object({
      packages: z.record(
        z.string(),
        z.looseObject({
          integrity: z.string().optional(),
          resolved: z.string().optional(),
          optionalDependencies: z.record(z.string(), z.string()).default({}),
        }),
      ),
    })
    .parse(JSON.parse(read("package-lock.json")));

  test("names no registry, and has the checksum of every package but ours and dynoxide's for other platforms", () => {
    const resolved = Object.entries(packages).flatMap(([path, { resolved }]) => (resolved ? [[path, resolved]] : []));
    expect(resolved).toEqual(["cli", "client"].map((name) => [`node_modules/@antler/${name}`, `packages/${name}`]));
    const ours = ["", ...resolved.flat()];
    const unchecked = Object.keys(packages).filter((path) => !ours.includes(path) && !packages[path]?.integrity);
    expect(unchecked).toEqual(
      ["darwin-arm64", "darwin-x64", "linux-arm64", "win32-x64"].map((name) => `node_modules/@dynoxide/${name}`),
    );
  });

  test("has the packages of every platform, as npm ci in the image asks for", () => {
    const names = new Set(Object.keys(packages).map((path) => path.slice(path.lastIndexOf("node_modules/") + 13)));
    for (const [path, { optionalDependencies }] of Object.entries(packages)) {
      for (const name of Object.keys(optionalDependencies)) expect(names, `${path} needs ${name}`).toContain(name);
    }
  });
});

describe("the dashboard and the alerts for Prometheus", () => {
  /** Each metric of the stack and of `npm run verify`, with the names that its series have in Prometheus. */
  const seriesOf = new Map<string, readonly string[]>([
    ...["localstack/metrics.ts", "scripts/verify.ts"].flatMap((file) =>
      (read(file).match(/antler_\w+/g) ?? []).map((name) => [name, [name]] as const),
    ),
    ...Object.values(METRICS).map(({ prometheus: name, kind }) => {
      const suffixes = kind === "histogram" ? ["_bucket", "_sum", "_count"] : [""];
      return [name, suffixes.map((suffix) => name + suffix)] as const;
    }),
  ]);
  const namesIn = (expr: string) => expr.match(/\b(?:antler|artillery|process|nodejs)_\w+|\bup\b|\bALERTS\b/g) ?? [];

  test("have a query in every panel, and no overlapping panels", () => {
    expect(panels.length).toBeGreaterThan(20);
    const taken = new Set<string>();
    for (const { title, targets, gridPos } of panels) {
      expect(targets.length, title).toBeGreaterThan(0);
      expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(taken, title).not.toContain(`${x},${y}`);
          taken.add(`${x},${y}`);
        }
      }
    }
  });

  test("query only metrics that exist", () => {
    const expressions = [...panels.flatMap(({ targets }) => targets), ...rules].map(({ expr }) => expr);
    for (const expr of expressions) {
      expect(namesIn(expr).length, expr).toBeGreaterThan(0);
      for (const name of namesIn(expr).filter((each) => each.startsWith("antler_"))) {
        expect([...seriesOf.values()].flat(), expr).toContain(name);
      }
    }
  });

  test("show every metric in a panel", () => {
    const shown = new Set(panels.flatMap(({ targets }) => targets.flatMap(({ expr }) => namesIn(expr))));
    for (const [name, series] of seriesOf)
      expect(
        series.some((each) => shown.has(each)),
        name,
      ).toBe(true);
  });

  const promtool = (...args: string[]) => spawnSync("promtool", args, { cwd: ROOT, encoding: "utf8" });
  const hasPromtool = promtool("--version").status === 0;

  test.skipIf(!hasPromtool)("pass promtool, and the alerts fire when they should (needs promtool)", () => {
    for (const args of [
      ["check", "config", "localstack/prometheus/prometheus.yml"],
      ["test", "rules", "localstack/prometheus/alerts.test.yml"],
    ]) {
      const { status, stdout, stderr } = promtool(...args);
      expect(status, stdout + stderr).toBe(0);
    }
  });

  test("have a test for every alert", () => {
    const tested = read("localstack/prometheus/alerts.test.yml");
    for (const { alert } of rules)
      expect(tested.match(new RegExp(`alertname: ${alert}\\b`, "g"))?.length).toBeGreaterThan(1);
  });
});

/** The resources of type alarm in CloudFormation files. */
function alarmsIn(...files: string[]) {
  const resources = z.object({ Resources: z.record(z.string(), z.looseObject({ Type: z.string() })) });
  return Object.fromEntries(
    files
      .flatMap((file) => Object.entries(resources.parse(readYaml(file)).Resources))
      .filter(([, { Type }]) => Type === "AWS::CloudWatch::Alarm"),
  );
}

describe("the alarms and the dashboard on AWS", () => {
  const topic = z.tuple([z.literal("HasAlarmTopic"), z.tuple([z.literal("AlarmTopicArn")]), z.literal("AWS::NoValue")]);
  const metric = z.looseObject({
    Namespace: z.string(),
    MetricName: z.string(),
    Dimensions: z.array(z.object({ Name: z.string(), Value: z.unknown() })).default([]),
  });
  const alarms = z
    .record(
      z.string(),
      z.object({
        Type: z.literal("AWS::CloudWatch::Alarm"),
        Properties: z.looseObject({
          AlarmName: z.string(),
          AlarmDescription: z.string(),
          TreatMissingData: z.literal("notBreaching"),
          AlarmActions: topic,
          OKActions: topic,
          Metrics: z.array(z.looseObject({ MetricStat: z.looseObject({ Metric: metric }).optional() })).default([]),
        }),
      }),
    )
    .parse(alarmsIn("infra/alarms.yml", "infra/events.yml", "infra/webhooks.yml"));
  const body = z
    .object({ Resources: z.object({ Dashboard: z.object({ Properties: z.object({ DashboardBody: z.string() }) }) }) })
    .parse(readYaml("infra/dashboard.yml")).Resources.Dashboard.Properties.DashboardBody;
  const { widgets } = z
    .object({
      widgets: z.array(z.object({ properties: z.object({ metrics: z.array(z.array(z.unknown())).default([]) }) })),
    })
    .parse(JSON.parse(body.replace(/(: )\$\{param:\w+\}/g, "$11")));

  const ourAlarmMetrics = Object.values(alarms)
    .flatMap(({ Properties }) => [Properties, ...Properties.Metrics.map(({ MetricStat }) => MetricStat?.Metric)])
    .flatMap((found) => (found?.Namespace === "Antler" ? [metric.parse(found)] : []));

  /** The rows of a widget, with the value above in place of each ".". */
  function withoutDots(rows: readonly unknown[][]): unknown[][] {
    let above: unknown[] = [];
    return rows.map((row) => {
      above = row.map((value, column) => (value === "." ? above[column] : value));
      return above;
    });
  }

  test("notify a topic when an alarm starts and when it ends, and are all on the dashboard", () => {
    expect(Object.keys(alarms).sort()).toEqual([
      "ClockBehindAlarm",
      "ConsumerErrorsAlarm",
      "DeadLettersAlarm",
      "DeliverErrorsAlarm",
      "LatencyAlarm",
      "OldestCreditAlarm",
      "OldestExpiryAlarm",
      "OldestMessageAlarm",
      "PublishDelayAlarm",
      "PublishFailuresAlarm",
      "ServerErrorsAlarm",
      "SweepErrorsAlarm",
      "ThrottlesAlarm",
      "WebhookFailuresAlarm",
    ]);
    for (const name of Object.keys(alarms)) expect(body, name).toContain(`\${${name}.Arn}`);
  });

  test("query our metrics by their recorded names and dimensions", () => {
    const dimensionsOf = new Map<string, readonly string[]>(
      Object.entries(METRICS).map(([name, { labels }]) => [name, ["service", ...labels].sort()]),
    );
    const searched = [...body.matchAll(/SEARCH\('\{Antler,([\w,]+)\} MetricName=\\"(\w+)\\"/g)].map(
      ([, dimensions = "", name = ""]) => [name, dimensions.split(",").sort()] as const,
    );
    const plain = widgets
      .flatMap(({ properties }) => withoutDots(properties.metrics))
      .filter(([namespace]) => namespace === "Antler")
      .map(([, name, ...rest]) => {
        const dimensions = rest.filter((each, index) => index % 2 === 0 && typeof each === "string");
        return [String(name), dimensions.sort()] as const;
      });
    expect(searched.length + plain.length).toBeGreaterThan(8);
    for (const [name, dimensions] of [...searched, ...plain]) expect(dimensions, name).toEqual(dimensionsOf.get(name));
    expect(ourAlarmMetrics.map(({ MetricName }) => MetricName).sort()).toEqual([
      "FailedRecords",
      "OldestCredit",
      "OldestExpiry",
      "Retries",
    ]);
    for (const { MetricName, Dimensions } of ourAlarmMetrics) {
      expect(Dimensions.map(({ Name }) => Name).sort(), MetricName).toEqual(dimensionsOf.get(MetricName));
    }
  });

  test("show the causes of retries that make a user wait, with an alarm for a clock", () => {
    const shown = widgets
      .flatMap(({ properties }) => withoutDots(properties.metrics))
      .flatMap((row) => (row[1] === "Retries" ? [row[row.indexOf("cause") + 1]] : []));
    expect(shown.sort()).toEqual(["clock_behind", "conflict", "unavailable"] satisfies RetryCause[]);
    const alarmed = ourAlarmMetrics.flatMap(({ Dimensions }) => Dimensions.filter(({ Name }) => Name === "cause"));
    expect(alarmed).toEqual([{ Name: "cause", Value: "clock_behind" }]);
    const local = rules.find(({ alert }) => alert === "ClockBehind");
    expect(local?.expr).toContain('cause="clock_behind"');
  });
});

describe("the deployed code", () => {
  test("does not import the Prometheus client", () => {
    for (const file of globSync("{functions,lib}/**/*.ts", { cwd: ROOT }))
      expect(read(file), file).not.toContain("prom-client");
  });
});
