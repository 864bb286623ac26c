// Coordination of a process with itself: plain maps, answered at once. Everything in it goes with the process.
import type { Clock } from '../clock.ts';
import { InProcessBudgets } from './in-process/budgets.ts';
import { InProcessLeases } from './in-process/leases.ts';
import { InProcessNodes } from './in-process/nodes.ts';
import { InProcessTokens } from './in-process/tokens.ts';
import type { Coordination } from './port.ts';

export class InProcess implements Coordination {
  readonly leases: InProcessLeases;
  readonly tokens: InProcessTokens;
  readonly budgets: InProcessBudgets;
  readonly nodes: InProcessNodes;

  /** `nodeId` begins every media token, so that another process can tell a stranger's token from a wrong one. */
  constructor({ clock, nodeId }: { clock: Clock; nodeId: string }) {
    this.leases = new InProcessLeases(clock);
    this.tokens = new InProcessTokens(clock, nodeId);
    this.budgets = new InProcessBudgets(clock);
    this.nodes = new InProcessNodes(clock);
  }
}
