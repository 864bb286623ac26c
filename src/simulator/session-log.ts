// What a person at the terminal sees of the simulator: a line when a session opens, closes or is refused, and the sums.
import type { Simulator } from './server.ts';
import type { SimulatedSession } from './session.ts';

/** Counts what happens in a simulator and writes a line for each session. */
export class SessionLog {
  #write: (line: string) => void;
  #sums = { sessions: 0, turns: 0, answers: 0, refusals: 0, handshakes: 0 };

  constructor(simulator: Simulator, write: (line: string) => void) {
    this.#write = write;
    simulator.onSession((session) => this.#opened(session));
    simulator.onRefused((number, { status, message }) => {
      this.#sums.handshakes += 1;
      this.#line(`connection ${number} refused with HTTP ${status}${message ? `: ${message}` : ''}`);
    });
  }

  /** The sums, in one line. */
  get summary(): string {
    const { sessions, turns, answers, refusals, handshakes } = this.#sums;
    const parts = [counted(sessions, 'session'), counted(turns, 'turn'), counted(answers, 'answer')];
    return `${parts.join(', ')}, ${counted(refusals, 'refusal')} sent, ${counted(handshakes, 'handshake')} refused`;
  }

  #opened(session: SimulatedSession): void {
    const sums = this.#sums;
    const mine = { turns: 0, answers: 0, refusals: 0 };
    const startedAt = performance.now();
    sums.sessions += 1;
    this.#line(`session ${session.number} opened: ${session.sessionConfig.model}`);
    const count = (what: keyof typeof mine) => () => {
      mine[what] += 1;
      sums[what] += 1;
    };
    session.on('committed', count('turns'));
    session.on('response_done', count('answers'));
    session.on('refusal', count('refusals'));
    session.on('refusal', ({ code, message }) =>
      this.#line(`session ${session.number} was refused: ${code}: ${message}`),
    );
    session.on('script_fault', (message) => this.#line(`session ${session.number}, its script: ${message}`));
    session.on('closed', ({ code }) => {
      const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
      const parts = [counted(mine.turns, 'turn'), counted(mine.answers, 'answer'), counted(mine.refusals, 'refusal')];
      this.#line(`session ${session.number} closed (${code}) after ${seconds} s: ${parts.join(', ')}`);
    });
  }

  #line(text: string): void {
    this.#write(`${new Date().toTimeString().slice(0, 8)}  ${printable(text)}`);
  }
}

/** On one line, without what would steer a terminal: clients choose the names of models and what is wrong with them. */
const printable = (text: string): string =>
  text.replace(
    /[\p{Cc}\p{Bidi_C}\p{Zl}\p{Zp}]/gu,
    (char) => `\\u${(char.codePointAt(0) as number).toString(16).padStart(4, '0')}`,
  );

const counted = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;
