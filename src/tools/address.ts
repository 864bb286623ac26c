// Which addresses a tool may connect to. An agent's declarations, a business's name server and a redirect must not be able
// to turn the server against its own network, so what is not plainly public is refused.
import { BlockList, isIP, isIPv4 } from 'node:net';

/**
 * `public`: anybody's. `private`: an own network or this machine: only for hosts that the agent file lists. `never`: nothing
 * that a listed name may lead to either (link-local with the clouds' metadata services, multicast, unspecified, reserved,
 * translated).
 */
export type AddressKind = 'public' | 'private' | 'never';

const subnets = (family: 'ipv4' | 'ipv6', nets: readonly string[]): BlockList => {
  const list = new BlockList();
  for (const net of nets) {
    const [address = '', bits] = net.split('/');
    list.addSubnet(address, Number(bits), family);
  }
  return list;
};

/** RFC 1918, RFC 6598 (carrier-grade NAT), loopback. */
const PRIVATE_4 = subnets('ipv4', ['10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16']);

/** The rest of what the IANA special-purpose registry (2026-11) does not call globally reachable, and multicast. */
const NEVER_4 = subnets('ipv4', [
  ...['0.0.0.0/8', '169.254.0.0/16', '192.0.0.0/24', '192.0.2.0/24', '192.88.99.0/24', '198.18.0.0/15'],
  ...['198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4'],
]);

/** Loopback and unique local (RFC 4193). */
const PRIVATE_6 = subnets('ipv6', ['::1/128', 'fc00::/7']);

/** All that is handed out to the world (RFC 4291); v4-mapped (::ffff:0:0/96), NAT64 (64:ff9b::/96) and link-local are not in it. */
const GLOBAL_6 = subnets('ipv6', ['2000::/3']);

/** Exceptions from it: protocol assignments with Teredo, documentation, 6to4. */
const NEVER_6 = subnets('ipv6', ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20']);

/** What kind of address a numeric one is; a text that is none is `never`. */
export function addressKind(address: string): AddressKind {
  if (isIPv4(address)) {
    if (PRIVATE_4.check(address, 'ipv4')) return 'private';
    return NEVER_4.check(address, 'ipv4') ? 'never' : 'public';
  }
  // A zone (fe80::1%eth0) is only for link-local ones.
  if (isIP(address) !== 6 || address.includes('%')) return 'never';
  // A BlockList looks at v4-mapped addresses as at v4 ones; here they are no way in at all.
  if (/^(?:0{0,4}:){0,6}:?ffff:/i.test(address)) return 'never';
  if (PRIVATE_6.check(address, 'ipv6')) return 'private';
  return GLOBAL_6.check(address, 'ipv6') && !NEVER_6.check(address, 'ipv6') ? 'public' : 'never';
}
