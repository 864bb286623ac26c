declare module 'alawmulaw' {
  const alawmulaw: {
    mulaw: { encodeSample(sample: number): number; decodeSample(byte: number): number };
  };
  export default alawmulaw;
}
