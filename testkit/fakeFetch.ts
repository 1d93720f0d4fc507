/** A `fetch` that answers without a network. */
export interface FakeFetch {
  readonly fetch: typeof globalThis.fetch;
  /** What was requested so far. */
  readonly requests: readonly Request[];
}

/**
 * @param answers in order, the last one for all further requests; an error fails the request, `undefined` leaves it without
 *   an answer
 */
export function fakeFetch(...answers: readonly (Response | Error | undefined)[]): FakeFetch {
  const requests: Request[] = [];
  return {
    requests,
    async fetch(input, init) {
      const answer = answers[Math.min(requests.length, answers.length - 1)];
      requests.push(new Request(input, init));
      if (answer instanceof Error) throw answer;
      return answer ? answer.clone() : new Promise<never>(() => {});
    },
  };
}

export function jsonAnswer(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json", ...headers } });
}

/** Problem details as the API sends them. */
export function problemAnswer(
  status: number,
  code: string,
  {
    headers = {},
    ...members
  }: { readonly headers?: Readonly<Record<string, string>>; readonly [member: string]: unknown } = {},
): Response {
  const body = {
    type: `urn:antler:problem:${code}`,
    title: code,
    status,
    detail: `Detail of ${code}`,
    code,
    ...members,
  };
  return jsonAnswer(status, body, { "content-type": "application/problem+json", ...headers });
}
