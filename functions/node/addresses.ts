/** @file Which IP addresses are public. Resolves nothing. */
import { BlockList, isIPv4, isIPv6 } from "node:net";

/**
 * IPv4 blocks that are not public hosts: the IANA IPv4 Special-Purpose Address Registry, multicast and class E, and one
 * address of Azure that answers on every machine there and is not in any registry.
 */
const special: readonly (readonly [
  name: string,
  ...blocks: readonly (readonly [network: string, prefix: number])[],
])[] = [
  ["unspecified", ["0.0.0.0", 8]],
  ["loopback", ["127.0.0.0", 8]],
  ["private", ["10.0.0.0", 8], ["172.16.0.0", 12], ["192.168.0.0", 16]],
  ["link-local", ["169.254.0.0", 16]],
  ["shared (carrier-grade NAT)", ["100.64.0.0", 10]],
  ["multicast", ["224.0.0.0", 4]],
  ["broadcast or reserved", ["240.0.0.0", 4]],
  ["documentation", ["192.0.2.0", 24], ["198.51.100.0", 24], ["203.0.113.0", 24]],
  ["benchmarking", ["198.18.0.0", 15]],
  ["protocol assignment", ["192.0.0.0", 24], ["192.31.196.0", 24], ["192.52.193.0", 24], ["192.175.48.0", 24]],
  ["6to4 relay", ["192.88.99.0", 24]],
  ["cloud metadata", ["168.63.129.16", 32]],
];

const blocks = special.map(([name, ...networks]) => {
  const list = new BlockList();
  for (const [network, prefix] of networks) list.addSubnet(network, prefix, "ipv4");
  return { name, list };
});

/** Whether an address is this machine itself. */
export function isLoopback(address: string): boolean {
  return notPublic(address) === "loopback";
}

/**
 * Why an address must not be reached for somebody else ("loopback", "private", …), or undefined for a public one. What
 * is no address at all is not public either.
 */
export function notPublic(address: string): string | undefined {
  if (isIPv4(address)) return blocks.find(({ list }) => list.check(address, "ipv4"))?.name;
  return isIPv6(address) ? notPublic6(groupsOf(address)) : "malformed";
}

/**
 * IPv6 is judged the other way round: public is only global unicast (2000::/3), less the blocks in it that carry an
 * IPv4 address or are not for hosts. NAT64 is how a network without IPv4 reaches the rest of the world, so there, and
 * only there, the IPv4 address inside decides.
 */
function notPublic6(groups: readonly number[]): string | undefined {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = groups;
  const inner = [g >> 8, g & 255, h >> 8, h & 255].join(".");
  const zeros = (count: number): boolean => groups.slice(0, count).every((group) => group === 0);
  if (zeros(7) && h === 1) return "loopback";
  if (zeros(8)) return "unspecified";
  if (zeros(5) && f === 0xffff) return "IPv4-mapped";
  if (zeros(6)) return "IPv4-compatible";
  if (a === 0x64 && b === 0xff9b && c + d + e + f === 0) return notPublic(inner);
  if (a === 0x64 && b === 0xff9b) return "NAT64 of a local network";
  if ((a & 0xfe00) === 0xfc00) return "private (unique local)";
  if ((a & 0xffc0) === 0xfe80) return "link-local";
  if ((a & 0xff00) === 0xff00) return "multicast";
  if ((a & 0xe000) !== 0x2000) return "reserved";
  if (a === 0x2001 && b === 0) return "Teredo";
  if (a === 0x2001 && b < 0x200) return "protocol assignment"; // 2001::/23: benchmarking, ORCHID and the like
  if ((a === 0x2001 && b === 0xdb8) || (a === 0x3fff && b < 0x1000)) return "documentation";
  if (a === 0x2002) return "6to4";
  if ((e & 0xfdff) === 0 && f === 0x5efe) return "ISATAP";
  return undefined;
}

/** The eight 16-bit groups of an IPv6 address. */
function groupsOf(address: string): readonly number[] {
  // The URL parser writes every form (zone id aside) in hexadecimal groups with at most one "::".
  const [bare = ""] = address.split("%");
  const text = new URL(`http://[${bare}]`).hostname.slice(1, -1);
  const [head = "", tail] = text.split("::");
  const left = parseGroups(head);
  const right = parseGroups(tail ?? "");
  return [...left, ...Array.from({ length: 8 - left.length - right.length }, () => 0), ...right];
}

const parseGroups = (text: string): readonly number[] =>
  text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
