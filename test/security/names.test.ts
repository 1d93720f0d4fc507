import { beforeAll, describe, expect, inject, test } from "vitest";
import { balanceOf, clientOf, movement, newUser, posted, walletOf } from "../../testkit/client.ts";
import { bearer, codeOf, type RawResponse } from "../../testkit/rawClient.ts";
import { attack, isOurs } from "./attacker.ts";

const apiUrl = inject("apiUrl");
const alice = walletOf(apiUrl, newUser("alice"));
const bob = walletOf(apiUrl, newUser("bob"));
/** Only bob's wallet holds this amount. */
const BOBS_MONEY = "4242.42";
const PROTOTYPE_NAMES = ["__proto__", "constructor", "toString", "valueOf", "hasOwnProperty", "prototype", "then"];
const asAlice = await bearer(alice.userId);

beforeAll(async () => {
  await posted(bob.deposit({ ...movement("USD", BOBS_MONEY), reference: "bob's secret" }));
  await posted(alice.deposit(movement("USD", "1.00")));
});

/** The response is no server error, and shows at most alice's own data. */
function expectNoLeak(response: RawResponse): void {
  expect(response.status).toBeLessThan(500);
  expect(response.text).not.toContain(BOBS_MONEY);
  expect(response.text).not.toContain("secret");
  if (response.status === 200 && isOurs(response))
    expect(JSON.parse(response.body)).toMatchObject({ userId: alice.userId });
}

describe("a crafted path reaches no other user's wallet:", () => {
  const [a, b] = [alice.userId, bob.userId];
  const full = (text: string) => [...text].map((character) => encodeURIComponent(wide(character))).join("");
  const wide = (character: string) => String.fromCodePoint(0xff00 + (character.codePointAt(0) ?? 0x20) - 0x20);

  test.each([
    ["up from the own wallet", `/v1/users/${a}/../${b}/balances`],
    ["up, encoded", `/v1/users/${a}/%2e%2e/${b}/balances`],
    ["up, encoded in capitals", `/v1/users/${a}/%2E%2E/${b}/balances`],
    ["up, half encoded", `/v1/users/${a}/.%2e/${b}/balances`],
    ["up, with an encoded slash", `/v1/users/${a}%2f..%2f${b}/balances`],
    ["up, encoded twice", `/v1/users/${a}%252f..%252f${b}/balances`],
    ["up, with backslashes", `/v1/users/${a}\\..\\${b}/balances`],
    ["up, with encoded backslashes", `/v1/users/${a}%5c..%5c${b}/balances`],
    ["up, with a parameter", `/v1/users/${a}/..;/${b}/balances`],
    ["up, in overlong UTF-8", `/v1/users/${a}/%c0%ae%c0%ae/${b}/balances`],
    ["up, in overlong slashes", `/v1/users/${a}%c0%af${b}/balances`],
    ["up, in full-width dots", `/v1/users/${a}/${full("..")}/${b}/balances`],
    ["up, many levels", `/v1/users/${a}${"/..".repeat(50)}/v1/users/${b}/balances`],
    ["the other user in full-width characters", `/v1/users/${full(b)}/balances`],
    ["the other user in upper case", `/v1/users/${b.toUpperCase()}/balances`],
    [
      "the other user, encoded",
      `/v1/users/${[...b].map((character) => `%${Buffer.from(character).toString("hex")}`).join("")}/balances`,
    ],
    ["a null byte after the other user", `/v1/users/${b}%00/balances`],
    ["a null byte between the users", `/v1/users/${a}%00${b}/balances`],
    ["a null byte after the path", `/v1/users/${b}/balances%00`],
    ["a line break", `/v1/users/${b}%0d%0aX-User:%20${a}/balances`],
    ["a dot after the other user", `/v1/users/${b}./balances`],
    ["a space after the other user", `/v1/users/${b}%20/balances`],
    ["a slash at the end", `/v1/users/${b}/balances/`],
    ["many slashes", `//v1//users//${b}//balances`],
    ["a fragment", `/v1/users/${b}/balances#/v1/users/${a}/balances`],
    ["an encoded question mark", `/v1/users/${b}%3fx/balances`],
    ["an absolute URL", `http://localhost/v1/users/${b}/balances`],
    ["a second host", `//${a}/v1/users/${b}/balances`],
    ["the user in the query", `/v1/users/${a}/balances?userId=${b}&user=${b}`],
    ["the user in a matrix parameter", `/v1/users/${a};userId=${b}/balances`],
    ["both users", `/v1/users/${a},${b}/balances`],
    ["every user", "/v1/users/*/balances"],
    ["no user", "/v1/users//balances"],
    ["an incomplete escape", `/v1/users/${b}%/balances`],
    ["an invalid escape", `/v1/users/${b}%zz/balances`],
    ["invalid UTF-8", `/v1/users/%ff%fe/balances`],
    ["unencoded characters beyond ASCII", `/v1/users/${"\u00e9"}/balances`],
    ["very long", `/v1/users/${"a".repeat(9000)}/balances`],
    ["longer than Node's HTTP server reads", `/v1/users/${"a".repeat(20_000)}/balances`],
    ["a star", "*"],
    ["the documentation's files", "/docs/..%2f..%2fpackage.json"],
    ["the documentation's files, up", "/docs/../package.json"],
    ["the documentation's files, with a null byte", "/docs/swagger-ui.css%00.json"],
    ["the documentation's prototype", "/docs/__proto__"],
    ["the console's files", "/console/..%2f..%2fpackage.json"],
    ["the console's prototype", "/console/__proto__"],
  ])("%s", async (_name, path) => {
    for (const method of ["GET", "POST"]) expectNoLeak(await attack(method, path, asAlice));
  });

  test.each(["x-original-url", "x-rewrite-url", "x-forwarded-path", "x-forwarded-prefix", "x-amzn-request-context"])(
    "the header %s",
    async (name) => {
      const response = await attack("GET", `/v1/users/${alice.userId}/balances`, {
        ...asAlice,
        [name]: `/v1/users/${bob.userId}/balances`,
      });
      expect(JSON.parse(response.body)).toMatchObject({ userId: alice.userId });
      expectNoLeak(response);
    },
  );

  test.each(["x-user-id", "x-forwarded-user", "x-amzn-oidc-identity", "x-http-method-override", "from"])(
    "the header %s with the other user",
    async (name) => {
      expect(codeOf(await attack("GET", `/v1/users/${bob.userId}/balances`, { ...asAlice, [name]: bob.userId }))).toBe(
        "403 forbidden",
      );
    },
  );
});

describe("the names of object prototypes are ordinary names:", () => {
  test.each(PROTOTYPE_NAMES)("the user %s has a wallet", async (name) => {
    // The wallet may hold money from an earlier run.
    const wallet = walletOf(apiUrl, name);
    const before = Number(await balanceOf(wallet, "JPY"));
    const { id } = await posted(wallet.deposit(movement("JPY", "5")));
    expect(Number(await balanceOf(wallet, "JPY"))).toBe(before + 5);
    expect((await wallet.transactions({ limit: 1 }).page()).data).toMatchObject([{ id }]);
    const asAlice = clientOf(apiUrl, alice.userId).wallet(name);
    await expect(asAlice.balances()).rejects.toMatchObject({ code: "forbidden" });
  });

  test.each(PROTOTYPE_NAMES)("the currency %s is unknown", async (name) => {
    const unknown = { code: "unknown_currency", status: 422 };
    await expect(alice.deposit(movement(name, "1.00"))).rejects.toMatchObject(unknown);
    await expect(alice.transactions({ currency: name }).page()).rejects.toMatchObject(unknown);
  });

  test.each(PROTOTYPE_NAMES)("the Idempotency-Key %s works", async (key) => {
    const wallet = walletOf(apiUrl);
    const command = { ...movement("JPY", "5"), idempotencyKey: key };
    const { id } = await posted(wallet.deposit(command));
    expect(await wallet.deposit(command)).toMatchObject({ id, replayed: true });
    expect(await balanceOf(wallet, "JPY")).toBe("5");
  });

  test.each(PROTOTYPE_NAMES.slice(1))("metadata named %s is stored unchanged", async (name) => {
    const metadata = { [name]: "x", other: name };
    const { id } = await posted(alice.deposit({ ...movement("JPY", "5"), metadata }));
    expect(await alice.transaction(id)).toHaveProperty("metadata", metadata);
    expect((await alice.transactions({ limit: 1 }).page()).data[0]?.metadata).toEqual(metadata);
  });

  test.each(PROTOTYPE_NAMES)("the query parameter %s is unknown", async (name) => {
    for (const query of [`${name}=1`, `${name}[x]=1`, `limit[${name}]=1`, `limit=1&${name}.limit=2`]) {
      expect(codeOf(await attack("GET", `/v1/users/${alice.userId}/transactions?${query}`, asAlice))).toBe(
        "422 validation_failed",
      );
    }
  });

  test.each(PROTOTYPE_NAMES)("the header %s is ignored", async (name) => {
    const response = await attack("GET", `/v1/users/${alice.userId}/balances`, { ...asAlice, [name]: "polluted" });
    expect(response.status).toBe(200);
  });

  test("afterwards a new user's wallet is empty", async () => {
    const { userId, sequence, balances } = await walletOf(apiUrl).balances();
    expect(userId).toMatch(/^user-/);
    expect(sequence).toBe(0);
    expect(balances.every(({ amount }) => /^0(\.0+)?$/.test(amount))).toBe(true);
  });
});

describe("an invalid user id is refused, even when the token's subject is the same:", () => {
  test.each([
    ["a space", "a b"],
    ["a slash", "a/b"],
    ["a null byte", "a\0b"],
    ["a line break", "a\r\nb"],
    ["a character beyond ASCII", "älice"],
    ["a zero-width space", "ali\u200bce"],
    ["a right-to-left override", "\u202ealice"],
    ["an emoji", "😀"],
    ["129 characters", "a".repeat(129)],
    ["a percent sign", "%"],
    ["quotes", "a'b\"c"],
    ["JSON", '{"$ne":null}'],
    ["a path", "../../etc"],
  ])("%s", async (_name, user) => {
    for (const scope of [undefined, "wallets:admin"]) {
      const path = `/v1/users/${encodeURIComponent(user)}`;
      const headers = await bearer(user, scope);
      expect(codeOf(await attack("GET", `${path}/balances`, headers))).toBe("422 validation_failed");
      expect(codeOf(await attack("GET", `${path}/transactions`, headers))).toBe("422 validation_failed");
    }
  });

  // Every URL parser reads these as steps in the path.
  test.each([".", ".."])("%s reaches no route", async (user) => {
    const headers = await bearer(user, "wallets:admin");
    for (const name of [user, user.replaceAll(".", "%2e")]) {
      expect(codeOf(await attack("GET", `/v1/users/${name}/balances`, headers))).toBe("404 not_found");
    }
  });
});

describe("an invalid Idempotency-Key is refused:", () => {
  const body = JSON.stringify({ currency: "USD", amount: "1.00" });
  const post = (key: string) =>
    attack(
      "POST",
      `/v1/users/${alice.userId}/deposits`,
      [...Object.entries(asAlice), ["content-type", "application/json"], ["idempotency-key", key]],
      body,
    );

  // lib/http/request.test.ts has the other forms.
  test("bytes of UTF-8", async () => {
    expect(codeOf(await post(Buffer.from("ключ").toString("latin1")))).toBe("400 idempotency_key_invalid");
  });

  test.each([
    ["a null byte", "a\0b"],
    ["a line feed", "a\nb: c"],
    ["a carriage return", "a\rb"],
    ["a DEL character", "a\x7fb"],
  ])("%s, by Node's HTTP server before our code", async (_name, key) => {
    const response = await post(key);
    expect([response.status, isOurs(response)]).toEqual([400, false]);
  });
});

describe("a cursor", () => {
  const of = (text: string) => encodeURIComponent(Buffer.from(text).toString("base64url"));
  const page = (cursor: string) =>
    attack("GET", `/v1/users/${alice.userId}/transactions?limit=1&cursor=${cursor}`, asAlice);

  // lib/http/cursor.test.ts has the other forms.
  test.each([
    ["empty", ""],
    ["not base64", "%00%ff"],
    ["of another version", of("v2:1")],
    ["with another user", of("v1:1:bob")],
  ])("that is %s is refused", async (_name, cursor) => {
    expect(codeOf(await page(cursor))).toBe("400 invalid_cursor");
  });

  test("that is too long is refused", async () => {
    expect(codeOf(await page("A".repeat(65)))).toBe("422 validation_failed");
  });

  test("beyond the end returns the newest page of the own history", async () => {
    const response = await page(of("9999-12-31T23:59:59.999Z#999999999999999"));
    const { data } = JSON.parse(response.body);
    expect(data).toEqual((await alice.transactions({ limit: 1 }).page()).data);
  });

  test("of another user returns the own history", async () => {
    for (let step = 0; step < 3; step++) await posted(bob.deposit(movement("USD", "1.00")));
    const { nextCursor } = await bob.transactions({ limit: 1 }).page();
    const response = await page(nextCursor ?? "");
    expect(response.status).toBe(200);
    expect(response.text).not.toContain(bob.userId);
    expect(response.text).not.toContain(BOBS_MONEY);
    for (const { userId } of JSON.parse(response.body).data) expect(userId).toBe(alice.userId);
  });
});
