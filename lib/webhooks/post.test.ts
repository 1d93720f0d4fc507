import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { createServer as createTcpServer, type Server, type Socket } from "node:net";
import { buffer } from "node:stream/consumers";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { describe, expect, it, onTestFinished } from "vitest";
import { listen } from "../../localstack/tcp.ts";
import { ANSWER_BYTES_MAX, createPost, type Post } from "./post.ts";

const DEPLOYED = { allowsLoopback: false };
const LOCAL = { allowsLoopback: true };
/** Far longer than what a test that does not wait for it takes. */
const PATIENT_MS = 20_000;
const SHORT_MS = 150;
const HEADERS = { "content-type": "application/json", "webhook-id": "msg_1" };
const [key, cert] = ["key.pem", "certificate.pem"].map((file) =>
  readFileSync(new URL(`../../testkit/tls/${file}`, import.meta.url)),
);

type Lookup = NonNullable<Parameters<typeof createPost>[0]["lookup"]>;
interface Address {
  readonly address: string;
  readonly family: number;
}

/** Answers each look-up of a name with the next list, and the last one again. */
function lookupOf(...answers: readonly (readonly string[])[]) {
  const names: string[] = [];
  const lookup = (name: string, _options: unknown, callback: (error: null, addresses: Address[]) => void) => {
    const answer = answers[Math.min(names.push(name), answers.length) - 1] ?? [];
    process.nextTick(
      callback,
      null,
      answer.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
    );
  };
  // The function has more signatures than Node uses here.
  return { lookup: lookup as unknown as Lookup, names };
}

async function portOf(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => sockets.add(socket));
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return listen(server);
}

/** A receiver on the loopback interface. */
async function receiver(answer: RequestListener) {
  const requests: { readonly head: object; readonly body: string }[] = [];
  const server = createServer(async (request, response) => {
    const { method, url, headers } = request;
    requests.push({ head: { method, url, headers }, body: (await buffer(request)).toString() });
    answer(request, response);
  });
  return { port: await portOf(server), requests };
}

/** A receiver that writes bytes of its own, whatever the request is. */
async function rawReceiver(respond: (socket: Socket) => void) {
  return portOf(createTcpServer((socket) => socket.on("error", () => {}).once("data", () => respond(socket))));
}

const local = (timeoutMs = PATIENT_MS): Post => createPost({ rules: LOCAL, timeoutMs });
const postTo = (port: number, post = local()) => post(`http://127.0.0.1:${port}/hooks?a=1`, HEADERS, '{"ü":1}');

describe("a post", () => {
  it("sends the headers and the body, and returns the status", async () => {
    const { port, requests } = await receiver((_, response) => response.writeHead(204).end());
    expect(await postTo(port)).toBe(204);
    const headers = expect.objectContaining({ ...HEADERS, "content-length": "8", host: `127.0.0.1:${port}` });
    expect(requests).toEqual([{ head: { method: "POST", url: "/hooks?a=1", headers }, body: '{"ü":1}' }]);
  });

  it.each([301, 302, 303, 307, 308])("does not follow a redirect: %i is the status", async (status) => {
    const target = await receiver((_, response) => response.end());
    const location = `http://127.0.0.1:${target.port}/`;
    const { port } = await receiver((_, response) => response.writeHead(status, { location }).end());
    expect(await postTo(port)).toBe(status);
    expect(target.requests).toEqual([]);
  });

  it("closes the connection when the answer is longer than 64 KB, and returns the status", async () => {
    let [sent, isClosed] = [0, false];
    const { port } = await receiver((_, response) => {
      response.once("close", () => {
        isClosed = true;
      });
      const more = () => {
        while (!isClosed && response.write("x".repeat(16 * 1024))) sent += 16 * 1024;
        if (!isClosed) response.once("drain", more);
      };
      more();
    });
    expect(await postTo(port)).toBe(200);
    await expect.poll(() => isClosed).toBe(true);
    expect(sent).toBeLessThan(ANSWER_BYTES_MAX + 16 * 1024 * 1024);
  });

  it("reads an answer that ends with its connection", async () => {
    const port = await rawReceiver((socket) => socket.end(`HTTP/1.1 200 OK\r\n\r\n${"x".repeat(1000)}`));
    expect(await postTo(port)).toBe(200);
  });

  it.each([
    ["a cut answer", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx", "ECONNRESET"],
    ["another protocol", "SSH-2.0-OpenSSH_9.9\r\n", "HPE_INVALID_CONSTANT"],
    ["a change of the protocol", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", /./],
    ["no answer", "", "ECONNRESET"],
    ["endless headers", `HTTP/1.1 200 OK\r\n${"x: y\r\n".repeat(10_000)}\r\n`, "HPE_HEADER_OVERFLOW"],
  ])("fails with a code after %s", async (_, bytes, code) => {
    const port = await rawReceiver((socket) => socket.end(bytes));
    await expect(postTo(port)).rejects.toThrow(code);
  });

  it("fails with a code where nothing listens", async () => {
    const server = createTcpServer();
    const port = await listen(server);
    await new Promise((closed) => server.close(closed));
    await expect(postTo(port)).rejects.toMatchObject({ name: "PostError", message: "ECONNREFUSED" });
  });

  const body = "HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n";

  it.each([
    ["does not answer", "", ""],
    ["sends header after header", "HTTP/1.1 200 OK\r\n", "x: y\r\n"],
    ["sends byte after byte of the body", body, "x"],
    ["sends informational answers", "", "HTTP/1.1 103 Early Hints\r\n\r\n"],
  ])("ends after its time when the receiver %s", async (_, start, then) => {
    const port = await rawReceiver((socket) => {
      socket.write(start);
      const timer = setInterval(() => socket.write(then), SHORT_MS / 5);
      socket.once("close", () => clearInterval(timer));
    });
    await expect(postTo(port, local(SHORT_MS))).rejects.toMatchObject({ message: "timeout" });
  });

  it("ends after its time when the name server does not answer", async () => {
    const post = createPost({ rules: LOCAL, timeoutMs: SHORT_MS, lookup: (() => {}) as unknown as Lookup });
    await expect(post("https://example.com/", {}, "")).rejects.toMatchObject({ message: "timeout" });
  });
});

describe("the addresses of a host", () => {
  it.each([
    ["one that is private", ["10.0.0.1"]],
    ["the metadata service", ["169.254.169.254"]],
    ["the loopback interface", ["127.0.0.1"]],
    ["a public and a private one", ["93.184.216.34", "10.0.0.1"]],
    ["an IPv6 form of a private one", ["2606:4700:4700::1111", "::ffff:10.0.0.1"]],
    ["none", []],
  ])("%s make no connection", async (_, addresses) => {
    const { lookup, names } = lookupOf(addresses);
    const post = createPost({ rules: DEPLOYED, lookup });
    const code = addresses.length > 0 ? "address_not_allowed" : "closed";
    await expect(post("https://rebind.example/", {}, "")).rejects.toMatchObject({ message: code });
    expect(names).toEqual(["rebind.example"]);
  });

  it("are those that the socket connects to: a second look-up with another answer is never made", async () => {
    const { port, requests } = await receiver((_, response) => response.end());
    const { lookup, names } = lookupOf(["127.0.0.1"], ["10.0.0.1"]);
    const post = createPost({ rules: LOCAL, lookup });
    expect(await post(`http://rebind.example:${port}/`, {}, "")).toBe(200);
    expect(names).toEqual(["rebind.example"]);
    expect(requests).toHaveLength(1);
    await expect(post(`http://rebind.example:${port}/`, {}, "")).rejects.toThrow("address_not_allowed");
  });

  it.each([
    "https://127.0.0.1/",
    "https://169.254.169.254/",
    "https://[::1]/",
    "https://2130706433/",
    "http://1.1.1.1/",
  ])("in the URL %s are refused without a look-up", async (url) => {
    const { lookup, names } = lookupOf(["93.184.216.34"]);
    await expect(createPost({ rules: DEPLOYED, lookup })(url, {}, "")).rejects.toThrow("address_not_allowed");
    expect(names).toEqual([]);
  });

  it("of localhost are refused, whatever the name is", async () => {
    const post = createPost({ rules: DEPLOYED, lookup: lookupOf(["127.0.0.1"]).lookup });
    for (const host of ["localhost", "localhost.", "a.localhost", "localtest.me"]) {
      await expect(post(`https://${host}/`, {}, "")).rejects.toThrow("address_not_allowed");
    }
  });
});

describe("a proxy in the environment", () => {
  const CALL = `
    const { createPost } = await import(process.argv[1]);
    process.stdout.write(String(await createPost({ rules: { allowsLoopback: true } })(process.argv[2], {}, "")));
  `;

  it("is not used, also where Node uses it by default", async () => {
    const proxy = await receiver((_, response) => response.end());
    const { port } = await receiver((_, response) => response.writeHead(202).end());
    const args = [new URL("post.ts", import.meta.url).href, `http://127.0.0.1:${port}/`];
    const child = spawn(process.execPath, ["--input-type=module", "-e", CALL, ...args], {
      env: { NODE_USE_ENV_PROXY: "1", http_proxy: `http://127.0.0.1:${proxy.port}` },
      stdio: ["ignore", "pipe", "inherit"],
    });
    expect((await buffer(child.stdout)).toString()).toBe("202");
    expect(proxy.requests).toEqual([]);
  });
});

describe("TLS", () => {
  const serve = async () => portOf(createTlsServer({ key, cert }, (_, response) => response.end()));
  const post = (port: number, host: string) =>
    createPost({ rules: LOCAL, lookup: lookupOf(["127.0.0.1"]).lookup })(`https://${host}:${port}/`, {}, "");

  it("needs a certificate of a known authority", async () => {
    await expect(post(await serve(), "127.0.0.1")).rejects.toThrow("DEPTH_ZERO_SELF_SIGNED_CERT");
  });

  it("needs a certificate for the host's name, which is not that of the address", async () => {
    const before = getCACertificates("default");
    setDefaultCACertificates([...before, String(cert)]);
    onTestFinished(() => setDefaultCACertificates(before));
    const port = await serve();
    expect(await post(port, "127.0.0.1")).toBe(200);
    await expect(post(port, "rebind.example")).rejects.toThrow("ERR_TLS_CERT_ALTNAME_INVALID");
  });

  it("is not left out: a receiver without it fails", async () => {
    const { port } = await receiver((_, response) => response.end());
    await expect(post(port, "127.0.0.1")).rejects.toThrow(/^(ERR_SSL|EPROTO)/);
  });
});
