// The one command line: `trunkline <command>`. A table of commands; each is loaded when it is asked for.
import { readEnvFile } from './env-file.ts';
import { TrunklineError } from './errors.ts';

interface Command {
  usage: string;
  what: string;
  run(args: string[]): Promise<void>;
}

const COMMANDS: Record<string, Command> = {
  serve: {
    usage: 'serve',
    what: 'answer calls (npm start); reads .env and the environment',
    async run() {
      const { serve } = await import('./main.ts');
      await serve();
    },
  },
  demo: {
    usage: 'demo [--exit]',
    what: 'a recorded caller talks to the sample agent, all on this machine',
    async run(args) {
      const { demo } = await import('./demo/demo.ts');
      await demo(args);
    },
  },
  replay: {
    usage: 'replay FILE.wav|.yaml|.jsonl…',
    what: 'call with recorded callers, or decide recorded calls again, and judge both',
    async run(args) {
      const { replay } = await import('./replay/replay.ts');
      await replay(args);
    },
  },
  chaos: {
    usage: 'chaos [--seed N] [--faults N]',
    what: 'recorded callers while faults strike everything: what each caller heard',
    async run(args) {
      const { chaos } = await import('./chaos/chaos.ts');
      await chaos(args);
    },
  },
  calls: {
    usage: 'calls [show ID]',
    what: 'the newest calls; or one with its words and its bill, line by line',
    async run(args) {
      const { calls } = await import('./costs/calls-command.ts');
      const { standardDesk } = await import('./costs/desk.ts');
      await calls(args, standardDesk(process.env));
    },
  },
  costs: {
    usage: 'costs [--by day|agent|model]',
    what: "what calls cost; `costs reconcile` holds it against the sellers' reports",
    async run(args) {
      const { costs } = await import('./costs/costs-command.ts');
      const { standardDesk } = await import('./costs/desk.ts');
      await costs(args, standardDesk(process.env));
    },
  },
  forget: {
    usage: 'forget --caller NUMBER [--dry-run]',
    what: 'remove every trace of a caller, and prove that none is left',
    async run(args) {
      const { forget } = await import('./privacy/command.ts');
      const { standardForgetDesk } = await import('./privacy/desk.ts');
      process.exitCode = await forget(args, standardForgetDesk(process.env));
    },
  },
  simulator: {
    usage: 'simulator [--script FILE.yaml]',
    what: 'the embedded Realtime model as a server of its own, on 127.0.0.1',
    async run(args) {
      const { serveSimulator } = await import('./simulator/serve.ts');
      await serveSimulator(args);
    },
  },
};

function help(): string {
  const rows = Object.values(COMMANDS).map(({ usage, what }) => `  trunkline ${usage.padEnd(32)} ${what}`);
  return `Usage:\n${rows.join('\n')}\n`;
}

// Whoever reads along may leave (`| head -1`) without ending calls. The server's log has a stream of its own (log.ts).
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });

const [name, ...args] = process.argv.slice(2);
const command = name === undefined ? undefined : COMMANDS[name];
if (!command) {
  const wanted = name === undefined || name === 'help' || name === '--help' || name === '-h';
  (wanted ? process.stdout : process.stderr).write(wanted ? help() : `There is no command "${name}".\n${help()}`);
  process.exitCode = wanted ? 0 : 1;
} else {
  try {
    await readEnvFile('.env', process.env);
    await command.run(args);
  } catch (error) {
    // What an operator can mend is said in a sentence; everything else is a bug and shows where it is.
    process.stderr.write(
      error instanceof TrunklineError ? `${error.message}\n` : `${(error as Error)?.stack ?? String(error)}\n`,
    );
    process.exitCode = 1;
    // A half-built server must not keep the process.
    setTimeout(() => process.exit(1), 100).unref();
  }
}
