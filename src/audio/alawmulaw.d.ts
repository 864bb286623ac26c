// The part of `alawmulaw` that mulaw.ts uses; the package has no types of its own.
declare module 'alawmulaw' {
  const alawmulaw: {
    mulaw: { encodeSample(sample: number): number; decodeSample(byte: number): number };
  };
  export default alawmulaw;
}
