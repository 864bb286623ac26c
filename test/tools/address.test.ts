// Which addresses are public, in every way they can be written.
import { expect, test } from 'vitest';
import { addressKind } from '../../src/tools/address.ts';
import { Hosts } from '../../src/tools/hosts.ts';

test.each(['8.8.8.8', '1.1.1.1', '172.15.0.1', '172.32.0.1', '100.63.0.1', '2606:4700::1111', '2a00:1450::1'])(
  '%s is public',
  (address) => expect(addressKind(address)).toBe('public'),
);

test.each([
  ...['127.0.0.1', '127.255.0.9', '10.1.2.3', '172.16.0.1', '172.31.255.255', '192.168.1.1', '100.64.0.1'],
  ...['100.127.255.255', '::1', 'fc00::1', 'fd12:3456::1'],
])('%s is private', (address) => expect(addressKind(address)).toBe('private'));

test.each([
  ...['169.254.169.254', '0.0.0.0', '224.0.0.1', '239.255.255.250', '240.0.0.1', '255.255.255.255', '198.18.0.1'],
  ...['192.0.2.1', '203.0.113.9', '192.0.0.8', '::', 'fe80::1', 'fe80::1%eth0', 'ff02::1', '::ffff:127.0.0.1'],
  ...[
    '::ffff:8.8.8.8',
    '::ffff:7f00:1',
    '0:0:0:0:0:ffff:0a00:0001',
    '64:ff9b::7f00:1',
    '64:ff9b:1::a00:1',
    '2002:7f00:1::',
  ],
  ...['2001::1', '2001:db8::1', '3fff::1', '::127.0.0.1', 'fec0::1', '100::1', '', 'localhost', '1.2.3', '0x7f.1'],
])('%s is never connected to by name', (address) => expect(addressKind(address)).toBe('never'));

const hosts = new Hosts({
  hosts: ['api.example.com', 'other.example.com:8443'],
  private: ['127.0.0.1:4010', 'orders.internal', '[::1]:4010'],
});

test.each([
  'https://api.example.com/x',
  'https://API.example.com:443/x',
  'https://other.example.com:8443/',
  'http://127.0.0.1:4010/x',
  'http://127.1:4010/x',
  'http://0x7f000001:4010/',
  'http://[::1]:4010/',
  'http://orders.internal/x',
  'https://orders.internal:9/x',
])('%s may be asked', (url) => expect(hosts.refusal(new URL(url))).toBeNull());

test.each([
  ['http://api.example.com/', 'https'],
  ['https://api.example.com:8443/', 'outbound.hosts'],
  ['https://api.example.com.evil.net/', 'outbound.hosts'],
  ['https://evil.net/#api.example.com', 'outbound.hosts'],
  ['https://user@api.example.com/', 'user name'],
  ['https://:secret@api.example.com/', 'user name'],
  ['http://127.0.0.1:4011/', 'outbound.private'],
  ['http://[::ffff:127.0.0.1]:4010/', 'outbound.private'],
  ['file:///etc/passwd', 'https URL'],
  ['ftp://api.example.com/', 'https URL'],
])('%s may not', (url, why) => expect(hosts.refusal(new URL(url))).toContain(why));

test('an address that is declared but not listed as private is refused', () => {
  const declared = new Hosts({ hosts: ['127.0.0.1:443', '169.254.169.254'], private: [] });
  expect(declared.refusal(new URL('https://127.0.0.1/'))).toContain('outbound.private');
  expect(declared.refusal(new URL('https://169.254.169.254/'))).toContain('outbound.private');
});

test('a name that is listed as private leads to private addresses, but not to link-local ones', () => {
  const url = new URL('https://orders.internal/');
  expect(hosts.allows(url, '10.0.0.7')).toBe(true);
  expect(hosts.allows(url, '169.254.169.254')).toBe(false);
  expect(hosts.allows(new URL('https://api.example.com/'), '10.0.0.7')).toBe(false);
  expect(hosts.allows(new URL('https://api.example.com/'), '8.8.8.8')).toBe(true);
});
