// fast-check as our tests use it: other cases each time at a desk, and always the same ones in CI. There a run says whether a
// change broke something; to look for what nobody has thought of is a desk's work, and what it finds becomes a test.
import fc from 'fast-check';

if (process.env['CI'] !== undefined) fc.configureGlobal({ seed: Number(process.env['SEED'] ?? 20_261_121) });

export default fc;
