import assert from "node:assert/strict";
import { AddressLimit, addressOf, networkOf } from "../../src/core/addresses.ts";
import { NoProxyHeader, ProxyHeaderReader } from "../../src/core/proxy-header.ts";

describe("network addresses", () => {
  for (const [address, network] of [
    ["192.0.2.7", "192.0.2.7"],
    ["::ffff:192.0.2.7", "192.0.2.7"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:DB8:0001:2::9", "2001:db8:1:2::/64"],
    ["2001:db8::9", "2001:db8:0:0::/64"],
    ["2001:db8::1:2:3:4:5", "2001:db8:0:1::/64"],
    ["::1", "0:0:0:0::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
    ["", ""],
    ["nonsense", "nonsense"],
  ] as const) {
    it(`counts ${address || "nothing"} as ${network || "nothing"}`, () => assert.equal(networkOf(address), network));
  }

  it("takes what the edge appended, never what the client wrote", () => {
    assert.equal(addressOf("6.6.6.6, 192.0.2.1 ,192.0.2.7", "10.0.0.1"), "192.0.2.7");
    assert.equal(addressOf(["6.6.6.6", "192.0.2.7"], "10.0.0.1"), "192.0.2.7");
    assert.equal(addressOf(undefined, "10.0.0.1"), "10.0.0.1");
    assert.equal(addressOf("", undefined), "");
  });
});

describe("AddressLimit", () => {
  it("lets so many of one address in, forgets those that have gone, and keeps nothing", () => {
    const limit = new AddressLimit(2);
    const [first, second] = [limit.take("192.0.2.7"), limit.take("::ffff:192.0.2.7")];
    assert.ok(first !== undefined && second !== undefined);
    assert.equal(limit.take("192.0.2.7"), undefined);
    const other = limit.take("192.0.2.8");
    first();
    const third = limit.take("192.0.2.7");
    assert.ok(third !== undefined && other !== undefined);
    assert.equal(limit.size, 2);
    for (const release of [second, third, other]) release();
    assert.equal(limit.size, 0);
  });

  it("counts nothing without a limit", () => {
    const limit = new AddressLimit(0);
    for (let i = 0; i < 10; i++) assert.ok(limit.take("192.0.2.7") !== undefined);
    assert.equal(limit.size, 0);
  });
});

const SIGNATURE = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a];
const V4 = [0x21, 0x11, 0, 12, 192, 0, 2, 7, 10, 0, 0, 1, 0x30, 0x39, 0x14, 0x67];

describe("ProxyHeaderReader", () => {
  const read = (bytes: readonly number[]) => new ProxyHeaderReader().push(Buffer.from([...SIGNATURE, ...bytes]));

  it("reads an IPv4 address, in whatever pieces it comes, and leaves the rest", () => {
    const bytes = Buffer.from([...SIGNATURE, ...V4, 7, 8, 9]);
    const whole = new ProxyHeaderReader().push(bytes);
    assert.deepEqual([whole?.address, whole?.rest], ["192.0.2.7", Buffer.of(7, 8, 9)]);
    const reader = new ProxyHeaderReader();
    for (const byte of bytes.subarray(0, 27)) assert.equal(reader.push(Buffer.of(byte)), undefined);
    const last = reader.push(bytes.subarray(27));
    assert.deepEqual([last?.address, last?.rest], ["192.0.2.7", Buffer.of(7, 8, 9)]);
  });

  it("reads an IPv6 address", () => {
    const address = [0x20, 1, 0x0d, 0xb8, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 9];
    assert.equal(read([0x21, 0x21, 0, 36, ...address, ...address, 0, 1, 0, 2])?.address, "2001:db8:1:2:0:0:0:9");
  });

  it("passes over extensions, and takes a proxy's own connection", () => {
    const extended = read([0x21, 0x11, 0, 15, ...V4.slice(4), 4, 0, 0, 5]);
    assert.deepEqual([extended?.address, extended?.rest], ["192.0.2.7", Buffer.of(5)]);
    assert.deepEqual(read([0x20, 0, 0, 0])?.address, "");
    assert.deepEqual(read([0x21, 0x11, 0, 2, 1, 2])?.address, "");
  });

  for (const [what, bytes] of [
    ["a client that comes without a proxy", [0, 0, 0, 9, 1]],
    ["another version", [...SIGNATURE, 0x11, 0x11, 0, 12]],
    ["another command", [...SIGNATURE, 0x22, 0x11, 0, 12]],
    ["a header that is too long", [...SIGNATURE, 0x21, 0x11, 0xff, 0xff]],
  ] as const) {
    it(`refuses ${what} at once`, () => {
      assert.throws(() => new ProxyHeaderReader().push(Buffer.from(bytes)), NoProxyHeader);
    });
  }
});
