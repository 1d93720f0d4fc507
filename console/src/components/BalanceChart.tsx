import { formatAmount } from "../../../packages/client/src/index.ts";
import { chartOf, type Step } from "../logic/chart.ts";
import { Amount } from "./Amount.tsx";
import { Time } from "./Time.tsx";

interface Props {
  readonly currency: string;
  /** Oldest first. */
  readonly steps: readonly Step[];
  /** End of the period, ISO 8601. */
  readonly end: string;
}

const WIDTH = 960;
const HEIGHT = 200;

/** The balance over time. The table below has the same as text. */
export function BalanceChart({ currency, steps, end }: Props) {
  const chart = chartOf(steps, end, WIDTH, HEIGHT);
  const start = steps[0]?.at;
  if (!chart || start === undefined) return null;
  const { line, area, minimum, maximum } = chart;
  const label = `Balance in ${currency}, between ${formatAmount(minimum, currency)} and ${formatAmount(maximum, currency)}`;
  return (
    <figure class="card chart">
      <p class="chart-edge">
        <Amount amount={maximum} currency={currency} />
      </p>
      <svg viewBox={`0 -4 ${WIDTH} ${HEIGHT + 8}`} preserveAspectRatio="none" role="img" aria-label={label}>
        <path class="chart-area" d={area} />
        <path class="chart-line" d={line} vector-effect="non-scaling-stroke" />
      </svg>
      <p class="chart-edge">
        <Amount amount={minimum} currency={currency} />
      </p>
      <figcaption class="chart-times">
        <Time at={start} />
        <Time at={end} />
      </figcaption>
    </figure>
  );
}
