/** The stack's metrics by series, such as `name{label="value"}`, with the labels in alphabetical order. */
export async function readMetrics(port: string | undefined): Promise<Map<string, number>> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => {
      const [, name = "", labels = "", value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
      const sorted = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([pair]) => pair).sort();
      return [sorted.length > 0 ? `${name}{${sorted.join(",")}}` : name, Number(value)];
    }),
  );
}
