import { randomUUID } from "node:crypto";
import { once } from "node:events";
import type { Socket } from "node:net";
import { setTimeout } from "node:timers/promises";
import { describe, expect, inject, onTestFinished, test } from "vitest";
import { transactionId } from "../../lib/ledger/idempotency.ts";
import { movement, newUser, posted, walletOf } from "../../testkit/client.ts";
import { bearer, codeOf, parseResponse } from "../../testkit/rawClient.ts";
import { attack, dial, isOurs, sendBytes } from "./attacker.ts";

const apiUrl = inject("apiUrl");
const alice = walletOf(apiUrl, newUser("alice"));
const VALID = '{"currency":"USD","amount":"1.00"}';
const deposits = `/v1/users/${alice.userId}/deposits`;
const asAlice = await bearer(alice.userId);
const authorization = `Authorization: ${asAlice.authorization}`;

/** How many responses the connection received. */
const answersIn = (text: string) => text.split("HTTP/1.1 ").length - 1;

describe("a request with many headers", () => {
  const balances = `/v1/users/${alice.userId}/balances`;
  const many = (count: number) => Array.from({ length: count }, (_, index) => [`x-${index}`, "v"] as const);

  test("200 of them is accepted", async () => {
    const response = await attack("GET", balances, [...many(200), ...Object.entries(asAlice)]);
    expect(response.status).toBe(200);
  });

  test("200 of one name, does not hide the token", async () => {
    const same = Array.from({ length: 200 }, () => ["x-a", "v"] as const);
    expect((await attack("GET", balances, [...same, ...Object.entries(asAlice)])).status).toBe(200);
    expect(codeOf(await attack("GET", balances, same))).toBe("401 unauthorized");
  });

  test.each([
    ["3,000 of them", many(3000)],
    ["64 KB in one value", [["x-a", "v".repeat(65_536)]] as const],
    ["64 KB in one name", [["x".repeat(65_536), "v"]] as const],
    ["64 KB of cookies", [["cookie", "a=b; ".repeat(13_000)]] as const],
  ])("%s, is refused by Node's HTTP server before our code", async (_name, headers) => {
    const response = await attack("GET", balances, [...Object.entries(asAlice), ...headers]);
    expect([response.status, isOurs(response)]).toEqual([400, false]);
  });
});

describe("a repeated header that allows one value only is refused, and nothing is stored:", () => {
  const key = () => ["idempotency-key", randomUUID()] as const;
  const post = (headers: readonly (readonly [string, string])[]) =>
    attack("POST", deposits, [...Object.entries(asAlice), ["content-type", "application/json"], ...headers], VALID);

  test.each([
    ["two keys", () => [key(), key()], "400 idempotency_key_invalid"],
    ["two keys in two cases", () => [key(), ["Idempotency-Key", "k"] as const], "400 idempotency_key_invalid"],
    ["two waits", () => [key(), ["prefer", "wait=5"] as const, ["Prefer", "wait=10"] as const], "400 prefer_invalid"],
  ])("%s", async (_name, headers, code) => {
    const { sequence } = await alice.balances();
    expect(codeOf(await post(headers()))).toBe(code);
    await posted(alice.deposit(movement("USD", "1.00")));
    expect((await alice.balances()).sequence).toBe(sequence + 1);
  });

  test("one key twice", async () => {
    const one = key();
    expect(codeOf(await post([one, one]))).toBe("400 idempotency_key_invalid");
    const response = await post([one]);
    expect([codeOf(response), response.headers.has("idempotency-replayed")]).toEqual(["202", false]);
  });

  test("two preferences with one wait are one list, and the wait is applied", async () => {
    const response = await post([key(), ["prefer", "respond-async"], ["prefer", "wait=10"]]);
    expect([response.status, response.headers.get("preference-applied")]).toEqual([201, "wait=10"]);
  });
});

describe("a request with an ambiguous length is refused as a whole, so that it smuggles no second request:", () => {
  const chunk = `${VALID.length.toString(16)}\r\n${VALID}\r\n0\r\n\r\n`;
  const smuggled = () => `GET /v1/users/${alice.userId}/balances HTTP/1.1\r\nHost: x\r\n${authorization}\r\n\r\n`;

  test.each([
    ["Content-Length and Transfer-Encoding", ["Content-Length: 4", "Transfer-Encoding: chunked"], chunk],
    ["Transfer-Encoding and Content-Length", ["Transfer-Encoding: chunked", "Content-Length: 4"], chunk],
    ["two Content-Length", [`Content-Length: ${VALID.length}`, "Content-Length: 3"], VALID],
    ["two Content-Length in one", [`Content-Length: ${VALID.length}, 3`], VALID],
    ["a Content-Length with a sign", [`Content-Length: +${VALID.length}`], VALID],
    ["a negative Content-Length", ["Content-Length: -1"], VALID],
    ["a Content-Length in hexadecimal", ["Content-Length: 0x22"], VALID],
    ["a Content-Length of 20 digits", ["Content-Length: 99999999999999999999"], VALID],
    ["two Transfer-Encoding", ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"], chunk],
    ["chunked that is not the last encoding", ["Transfer-Encoding: chunked, identity"], chunk],
    ["an unknown Transfer-Encoding", ["Transfer-Encoding: xchunked"], chunk],
    ["a space before the colon", ["Transfer-Encoding : chunked", "Content-Length: 4"], chunk],
    ["a folded header", ["Transfer-Encoding:", " chunked", "Content-Length: 4"], chunk],
    ["a chunk without end", ["Transfer-Encoding: chunked"], "ffffffffffffffffff\r\nx"],
    ["a chunk length that is no number", ["Transfer-Encoding: chunked"], `zz\r\n${VALID}\r\n0\r\n\r\n`],
    ["a negative chunk length", ["Transfer-Encoding: chunked"], `-1\r\n${VALID}\r\n0\r\n\r\n`],
    [
      "a chunk with a long extension",
      ["Transfer-Encoding: chunked"],
      `22;${"x".repeat(20_000)}\r\n${VALID}\r\n0\r\n\r\n`,
    ],
  ])("%s", async (_name, lengths, body) => {
    const { sequence } = await alice.balances();
    const head = [
      `POST /v1/users/${alice.userId}/deposits HTTP/1.1`,
      "Host: x",
      authorization,
      "Content-Type: application/json",
      `Idempotency-Key: ${randomUUID()}`,
      ...lengths,
    ];
    const text = await sendBytes(`${head.join("\r\n")}\r\n\r\n${body}${smuggled()}`);
    expect(answersIn(text)).toBe(1);
    expect(parseResponse(text).status).toBe(400);
    expect((await alice.balances()).sequence).toBe(sequence);
  });

  test("the body of a GET is not read as the next request", async () => {
    const body = smuggled();
    const head = ["GET /v1/health HTTP/1.1", "Host: x", `Content-Length: ${body.length}`, "", ""];
    const last = "GET /v1/currencies HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    const text = await sendBytes(head.join("\r\n") + body + last);
    expect(answersIn(text)).toBe(2);
    expect(text).not.toContain(alice.userId);
  });
});

describe("what is not HTTP/1.1 gets 400 from Node's HTTP server:", () => {
  test.each([
    ["HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    ["TLS", Buffer.from("16030100a5010000a10303", "hex")],
    ["zeros", Buffer.alloc(4096)],
    ["lines without a carriage return", "GET /v1/health HTTP/1.1\nHost: x\n\n"],
    ["no host", "GET /v1/health HTTP/1.1\r\nConnection: close\r\n\r\n"],
    ["an unknown method", "HACK /v1/health HTTP/1.1\r\nHost: x\r\n\r\n"],
    ["a method in lower case", "get /v1/health HTTP/1.1\r\nHost: x\r\n\r\n"],
    ["a null byte in a header", "GET /v1/health HTTP/1.1\r\nHost: x\r\nX-A: a\0b\r\n\r\n"],
  ])("%s", async (_name, bytes) => {
    expect(parseResponse(await sendBytes(bytes)).status).toBe(400);
  });

  test("CONNECT, whose connection is closed without a response", async () => {
    expect(await sendBytes("CONNECT localhost:80 HTTP/1.1\r\nHost: x\r\n\r\n")).toBe("");
  });

  test("an unknown expectation, which gets 417", async () => {
    expect((await attack("GET", "/v1/health", { expect: "the-moon" })).status).toBe(417);
  });
});

describe("another method", () => {
  const paths = [
    "/v1/health",
    "/v1/currencies",
    `/v1/users/${alice.userId}/balances`,
    `/v1/users/${alice.userId}/deposits`,
  ];

  test.each(["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "SEARCH"])(
    "%s gets 404 on every path, and the response repeats nothing of the request",
    async (method) => {
      for (const path of paths) {
        const response = await attack(method, path, { ...asAlice, "x-echo": "echo-me" }, VALID);
        expect(codeOf(response)).toBe("404 not_found");
        expect(response.text).not.toContain("echo-me");
        expect(response.text).not.toContain(asAlice.authorization);
      }
    },
  );

  // hapi answers HEAD from the route of GET. API Gateway has no such route and answers 404.
  test("HEAD has no body, and requires a token where GET does", async () => {
    for (const path of paths.slice(0, 3)) {
      const response = await attack("HEAD", path, asAlice);
      expect([response.status, response.body]).toEqual([200, ""]);
    }
    expect((await attack("HEAD", paths[2] ?? "")).status).toBe(401);
  });
});

describe("clients", () => {
  const CONNECTIONS = 400;

  /** Opens connections that each send the beginning of a request. */
  async function openSlowly(beginning: () => string): Promise<Socket[]> {
    const sockets = Array.from({ length: CONNECTIONS }, dial);
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
    });
    await Promise.all(sockets.map((socket) => once(socket, "connect")));
    for (const socket of sockets) {
      socket.on("error", () => {});
      socket.write(beginning());
    }
    return sockets;
  }

  test.each([
    ["headers", () => "GET /v1/health HTTP/1.1\r\nHost: x\r\n", "x-a: b\r\n"],
    [
      "bodies",
      () =>
        `POST /v1/users/${alice.userId}/deposits HTTP/1.1\r\nHost: x\r\n${authorization}\r\nContent-Type: application/json\r\nIdempotency-Key: k\r\nContent-Length: 9999\r\n\r\n`,
      " ",
    ],
  ])("with 400 unfinished %s do not block other clients", async (_what, beginning, more) => {
    const sockets = await openSlowly(beginning);
    const startedAtMs = Date.now();
    for (let request = 0; request < 30; request++) {
      for (const socket of sockets) if (request % 10 === 0 && socket.writable) socket.write(more);
      await posted(alice.deposit(movement("USD", "1.00")));
    }
    // 30 commands take about a second. A stack that waits for the slow clients would take a minute.
    expect(Date.now() - startedAtMs).toBeLessThan(20_000);
  });

  test("that hang up in the middle of a body store nothing", async () => {
    const key = randomUUID();
    const socket = dial();
    const head = `POST /v1/users/${alice.userId}/deposits HTTP/1.1\r\nHost: x\r\n${authorization}\r\n`;
    socket.write(
      `${head}Content-Type: application/json\r\nIdempotency-Key: ${key}\r\nContent-Length: 500\r\n\r\n${VALID}`,
    );
    await setTimeout(100);
    socket.destroy();
    const command = { ...movement("USD", "1.00"), idempotencyKey: key };
    expect(await alice.deposit(command)).toMatchObject({ replayed: false });
  });

  test("that hang up while they wait for the outcome do not lose the command", async () => {
    const bob = walletOf(apiUrl, newUser("bob"));
    const key = randomUUID();
    const id = transactionId(bob.userId, key);
    const head = [
      `POST /v1/users/${bob.userId}/deposits HTTP/1.1`,
      "Host: x",
      `Authorization: ${(await bearer(bob.userId)).authorization}`,
      "Prefer: wait=5",
      "Content-Type: application/json",
      `Idempotency-Key: ${key}`,
      `Content-Length: ${VALID.length}`,
    ];
    const socket = dial();
    socket.write(`${head.join("\r\n")}\r\n\r\n${VALID}`);
    await expect.poll(() => bob.transaction(id)).toMatchObject({ id });
    socket.destroy();
    expect(await bob.settled(id)).toMatchObject({ status: "posted", sequence: 1 });
  });
});
