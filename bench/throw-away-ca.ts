// A certificate authority for one run, and a certificate for 127.0.0.1 signed by it, so that the model can be reached over
// TLS as in earnest. Written as DER by hand (X.690, RFC 5280): Node signs but makes no certificates, and a fresh machine
// has no openssl.
import { createSign, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';

export interface ThrowAwayCa {
  /** What a client is to trust, PEM. */
  caPem: string;
  /** What the server shows, PEM. */
  certPem: string;
  keyPem: string;
}

const DAY_MS = 24 * 3_600_000;
/** Object identifiers, DER content. */
const OID = {
  ecdsaWithSha256: [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02],
  commonName: [0x55, 0x04, 0x03],
  basicConstraints: [0x55, 0x1d, 0x13],
  keyUsage: [0x55, 0x1d, 0x0f],
  extendedKeyUsage: [0x55, 0x1d, 0x25],
  subjectAltName: [0x55, 0x1d, 0x11],
  serverAuth: [0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01],
};

/** A new authority and its one certificate, good for a day. P-256, as public servers use. */
export function throwAwayCa(): ThrowAwayCa {
  const ca = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const server = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const issuer = 'Trunkline bench, throw-away CA';
  const caPem = certificate({ subject: issuer, issuer, key: ca.publicKey, signer: ca.privateKey, extensions: FOR_CA });
  const certPem = certificate({
    subject: 'localhost',
    issuer,
    key: server.publicKey,
    signer: ca.privateKey,
    extensions: FOR_SERVER,
  });
  return { caPem, certPem, keyPem: server.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string };
}

function der(tag: number, ...parts: (Buffer | number[])[]): Buffer {
  const content = Buffer.concat(parts.map((part) => Buffer.from(part)));
  const { length } = content;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

const sequence = (...parts: Buffer[]): Buffer => der(0x30, ...parts);
const oid = (content: number[]): Buffer => der(0x06, content);
const octets = (content: Buffer): Buffer => der(0x04, content);
const bits = (content: Buffer | number[], unused = 0): Buffer => der(0x03, [unused], content);
const yes = der(0x01, [0xff]);
const extension = (id: number[], value: Buffer, critical = false): Buffer =>
  sequence(oid(id), ...(critical ? [yes] : []), octets(value));

const FOR_CA = [
  extension(OID.basicConstraints, sequence(yes), true),
  // keyCertSign
  extension(OID.keyUsage, bits([0x04], 2), true),
];
const FOR_SERVER = [
  extension(OID.basicConstraints, sequence(), true),
  // digitalSignature
  extension(OID.keyUsage, bits([0x80], 7), true),
  extension(OID.extendedKeyUsage, sequence(oid(OID.serverAuth))),
  extension(OID.subjectAltName, sequence(der(0x82, Buffer.from('localhost')), der(0x87, [127, 0, 0, 1]))),
];

const name = (text: string): Buffer => sequence(der(0x31, sequence(oid(OID.commonName), der(0x0c, Buffer.from(text)))));

/** UTCTime, `YYMMDDHHMMSSZ`. */
const time = (wallMs: number): Buffer =>
  der(0x17, Buffer.from(`${new Date(wallMs).toISOString().slice(2, 19).replace(/[-:T]/g, '')}Z`));

function certificate(of: {
  subject: string;
  issuer: string;
  key: KeyObject;
  signer: KeyObject;
  extensions: Buffer[];
}): string {
  const algorithm = sequence(oid(OID.ecdsaWithSha256));
  // A serial number is positive and starts with no zero.
  const serial = randomBytes(16);
  serial[0] = 0x40 | ((serial[0] as number) & 0x3f);
  const toSign = sequence(
    der(0xa0, der(0x02, [2])),
    der(0x02, serial),
    algorithm,
    name(of.issuer),
    sequence(time(Date.now() - DAY_MS), time(Date.now() + DAY_MS)),
    name(of.subject),
    of.key.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...of.extensions)),
  );
  const signature = createSign('sha256').update(toSign).sign(of.signer);
  const base64 = sequence(toSign, algorithm, bits(signature)).toString('base64');
  return `-----BEGIN CERTIFICATE-----\n${(base64.match(/.{1,64}/g) ?? []).join('\n')}\n-----END CERTIFICATE-----\n`;
}
