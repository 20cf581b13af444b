// Checks of a minute and more take turns where a run may not take so long: CI has a third of them with each commit, and all others.
import { type Check, namedChecks } from './check.ts'

/** By their time on two cores, the longest first, so that every share has some of each length. */
const longChecks = [
  'reload: S1 to S13 beside Reloader',
  'ballast controller on the real control plane: among others',
  'descheduler, program beside program on a real control plane: RemoveDuplicates',
  'browser: 5,000 nodes and 150,000 pods',
  'image: two builds in different surroundings are the same, byte for byte',
  'browser: rebalancing of 5,000 nodes',
  'ballast controller on the real control plane: its webhook killed between an eviction and the pod that follows, one replica',
  'ballast controller on the real control plane: its webhook killed between an eviction and the pod that follows, two replicas',
  'ballast controller on the real control plane: kwok keeps 50 nodes with 1000 pods',
  'ballast isolate on the real control plane: talos00, its leader killed half-way, then aborted',
  'ballast controller on the real control plane: the example put right, kube-scheduler 1.36.4, landing hold',
  'ballast controller on the real control plane: the example put right, kube-scheduler 1.34.4, landing prefer, killed half-way',
  'the real descheduler spares what ours does, by every option of DefaultEvictor',
  'APIs, webhooks, policies and conversions behind the real API server, as recorded',
  'browser: every page in every look',
  'migrate: Reloader to Ballast, back, and there again',
  'descheduler, program beside program on the twin: RemoveDuplicates',
  'bad input is answered as recorded: queries',
  'the real front proxy with a new authority',
  'reload: Reloader to Ballast and back, annotations',
  'ballast snapshot of the real control plane gives the same plan',
  'reload: Reloader to Ballast and back, env-vars',
  'updater does to the drop-in cluster what was recorded',
  'bad input is answered as recorded: connections',
  'bad input is answered as recorded: protobuf',
] as const

/**
 * What runs in turn `k/n` and what is left to the other turns.
 * @throws Error where `turn` is none, and where a name above is no check's any more
 */
export function takingTurns(
  checks: readonly Check[],
  turn: string,
  long: readonly string[] = longChecks,
): { readonly now: readonly Check[]; readonly later: readonly Check[] } {
  const [, at, turns] = (/^([1-9]\d?)\/([1-9]\d?)$/.exec(turn) ?? []).map(Number)
  if (at === undefined || turns === undefined || at > turns) throw new Error(`--turn: found ${turn}, expected one such as 1/3`)
  const later = long.flatMap((name, index) => {
    const named = namedChecks(checks, [name])
    return index % turns === at - 1 ? [] : named
  })
  return { now: checks.filter(check => !later.includes(check)), later }
}
