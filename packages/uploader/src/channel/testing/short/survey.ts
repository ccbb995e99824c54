import { parentPort, workerData } from 'node:worker_threads';
import { planOf, shrunk, type Plan } from './plan.js';
import { ShortWorld } from './world.js';

/** Which sequences a thread runs. */
export interface Stretch {
  from: number;
  count: number;
}

/** What became of them. */
export interface Survey {
  /** Events of each. */
  lengths: number[];
  /** In how many of them each occurred. */
  occurred: Record<string, number>;
  /** Those that broke a rule. */
  faults: { seed: number; fault: string }[];
  /** The first of these with all left out that need not happen, event by event. */
  explanation?: string;
}

/** So many of all sequences go through the pure `reduce`, too. */
const EVERY_BOTH = 200;

function faultsOf(plan: Plan, log?: string[]): string[] {
  const world = new ShortWorld(plan);
  world.uploader.log = log;
  try {
    return world.run().viewers.faults;
  } catch (error) {
    return [String((error as Error).stack)];
  }
}

/** What is left of a failing sequence when all that need not happen is taken out. */
function explain(plan: Plan, fault: string): string {
  const [kind] = /^(rule \d+(?: of DESIGN.md)?: )?\D*/.exec(fault.replace(/^.*? at [\d.]+: /, ''))!;
  const small = shrunk(plan, (smaller) => faultsOf(smaller).some((one) => one.includes(kind)));
  const log: string[] = [];
  const faults = faultsOf(small, log);
  return [`SHORT_SEED=${plan.seed} SHORT_RUNS=1: ${fault}`, JSON.stringify(small), ...log, ...faults].join(
    '\n',
  );
}

function survey({ from, count }: Stretch): Survey {
  const result: Survey = { lengths: [], occurred: { renditions: 0 }, faults: [] };
  const note = (what: string): void => void (result.occurred[what] = (result.occurred[what] ?? 0) + 1);
  for (let seed = from; seed < from + count; seed++) {
    const plan = planOf(seed);
    const world = new ShortWorld(plan, { both: seed % EVERY_BOTH === 0 });
    try {
      world.run();
    } catch (error) {
      world.viewers.faults.push(String((error as Error).stack));
    }
    const [fault] = world.viewers.faults;
    if (fault !== undefined) {
      result.faults.push({ seed, fault });
      result.explanation ??= explain(plan, fault);
    }
    result.lengths.push(world.uploader.events);
    if (plan.renditions.length > 1) note('renditions');
    for (const [what, times] of Object.entries({
      ...world.happened,
      ...world.viewers.seen,
      ...world.viewers.recorded.seen,
    }))
      if (times > 0) note(what);
  }
  return result;
}

parentPort?.postMessage(survey(workerData as Stretch));
