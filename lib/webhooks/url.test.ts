import { describe, expect, it } from "vitest";
import { checkUrl, isAllowedAddress, URL_LENGTH_MAX } from "./url.ts";

const DEPLOYED = { allowsLoopback: false };
const LOCAL = { allowsLoopback: true };

const PRIVATE_ADDRESSES = [
  ...["0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "169.254.169.254"],
  ...["169.254.170.2", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.88.99.1", "192.168.0.1"],
  ...["198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1"],
  ...["255.255.255.255", "192.168.255.255"],
  // Unspecified, IPv4-compatible, discard, NAT64 for local use, unassigned, and what is for documentation or benchmarks.
  ...[
    "::",
    "::10.0.0.1",
    "::808:808",
    "100::1",
    "64:ff9b:1::1",
    "4000::1",
    "8000::1",
    "2001:db8::1",
    "3fff::1",
    "2001:2::1",
  ],
  // Unique local (with the metadata service of EC2), link-local, site-local, multicast, segment routing.
  ...["fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "febf::1", "fec0::1", "ff02::1", "5f00::1"],
  // IPv4-mapped, IPv4-translated, NAT64, 6to4, Teredo.
  ...["::ffff:10.0.0.1", "::ffff:a9fe:a9fe", "::ffff:0:10.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::a9fe:a9fe"],
  ...["2002:a00:1::", "2002:808:808::1", "2001:0:a00:1::1"],
];
const LOOPBACK_ADDRESSES = ["127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"];
const PUBLIC_ADDRESSES = [
  ...["1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "169.253.255.255", "169.255.0.0"],
  ...["172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0", "223.255.255.255", "::ffff:8.8.8.8"],
  ...["64:ff9b::8.8.8.8", "2606:4700:4700::1111", "2a00:1450:4001::1"],
];

describe("an address", () => {
  it.each(PRIVATE_ADDRESSES)("%s is refused, also locally", (address) => {
    expect([DEPLOYED, LOCAL].map((rules) => isAllowedAddress(address, rules))).toEqual([false, false]);
  });

  it.each(LOOPBACK_ADDRESSES)("%s is allowed only locally", (address) => {
    expect([DEPLOYED, LOCAL].map((rules) => isAllowedAddress(address, rules))).toEqual([false, true]);
  });

  it.each(PUBLIC_ADDRESSES)("%s is allowed", (address) => {
    expect([DEPLOYED, LOCAL].map((rules) => isAllowedAddress(address, rules))).toEqual([true, true]);
  });

  it.each(["", "example.com", "1.2.3.4.5", "1:2"])("%j is none", (address) => {
    expect(isAllowedAddress(address, LOCAL)).toBe(false);
  });
});

describe("a URL", () => {
  it.each([
    ["https://example.com/hooks?a=1", "https://example.com/hooks?a=1"],
    ["HTTPS://EXAMPLE.com:443", "https://example.com/"],
    ["https://8.8.8.8/", "https://8.8.8.8/"],
    ["https://[2606:4700:4700::1111]/", "https://[2606:4700:4700::1111]/"],
    ["https://münchen.example/", "https://xn--mnchen-3ya.example/"],
  ])("%s is allowed", (text, href) => {
    expect(checkUrl(text, DEPLOYED)).toMatchObject({ href });
  });

  it.each([
    ["example.com", "must be an absolute URL of at most 2048 characters"],
    ["", "must be an absolute URL of at most 2048 characters"],
    [`https://example.com/${"x".repeat(URL_LENGTH_MAX)}`, "must be an absolute URL of at most 2048 characters"],
    ["http://example.com/", "must be an https URL"],
    ["ftp://example.com/", "must be an https URL"],
    ["file:///etc/passwd", "must be an https URL"],
    ["javascript:alert(1)", "must be an https URL"],
    ["https://example.com:8443/", "must use port 443"],
    ["https://example.com:80/", "must use port 443"],
    ["https://user@example.com/", "must not have a user name or a password"],
    ["https://:password@example.com/", "must not have a user name or a password"],
  ])("%s is refused: %s", (text, why) => {
    expect(checkUrl(text, DEPLOYED)).toBe(why);
  });

  it.each([
    // Decimal, octal, hexadecimal, short and mixed forms of 127.0.0.1, 169.254.169.254 and 10.0.0.1.
    ...["2130706433", "017700000001", "0x7f000001", "127.1", "0177.0.0.1", "0x7f.0.0.1", "127.0.0.1.", "127.0x0.1"],
    ...["2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518", "0xA9.254.0251.254", "10.1", "012.1"],
    ...["0", "0.0.0.0", "255.255.255.255", "%31%30.0.0.1", "１０.0.0.1", "①②⑦.0.0.1"],
    ...["[::1]", "[::]", "[::ffff:10.0.0.1]", "[::ffff:a9fe:a9fe]", "[64:ff9b::a00:1]", "[fd00:ec2::254]", "[fe80::1]"],
    ...["localhost", "LOCALHOST", "localhost.", "a.localhost", "a.localhost.", "ⓛocalhost"],
  ])("with the host %s is refused", (host) => {
    expect(checkUrl(`https://${host}/`, DEPLOYED)).toBe("must have a public host");
  });

  it.each([
    ...["http://localhost:3000/hooks", "http://127.0.0.1:3000/", "http://[::1]:3000/", "https://localhost:8443/"],
    "https://example.com/",
  ])("%s is allowed locally", (text) => {
    expect(checkUrl(text, LOCAL)).toMatchObject({ href: text });
  });

  it.each(["http://10.0.0.1/", "http://169.254.169.254/", "https://[fd00:ec2::254]/"])(
    "%s is refused locally too",
    (text) => {
      expect(checkUrl(text, LOCAL)).toBe("must have a public or a loopback host");
    },
  );
});
