// Plays a suite of other people's controllers on a real control plane and on a twin at once: the same objects, the same changes, for as long as
// is wanted. What they complain of and what they come to is compared.
import type { Sites } from '../other-people/sites.ts'
import { objectsOf, type StoredDifference, storedDifferences } from '../other-people/stored.ts'
import { isAccepted, isChance } from './accepted.ts'
import { type FurtherComplaint, furtherComplaints } from './complaints.ts'
import { Side } from './side.ts'

/** One change, the same on both servers. */
export interface Step {
  readonly what: string
  /** @param round how often the steps have begun anew: names and values go by it */
  change(side: Side, round: number): Promise<void>
}

export interface Suite {
  readonly name: string
  /** What runs, with versions, and what is left out. */
  readonly told: string
  /** Finds or builds its programs. @throws PartUnavailable */
  prepare(): Promise<void>
  /** Installs what its people ship, and starts the programs. */
  install(side: Side): Promise<void>
  /** Makes the objects of use, and waits until they are as they are to be. */
  begin(side: Side): Promise<void>
  readonly steps: readonly Step[]
  /** Resources whose objects are compared at the end. */
  readonly compared: readonly string[]
}

export interface Played {
  readonly rounds: number
  readonly changes: number
  readonly seconds: number
  readonly objects: number
  /** Different complaints, and how many lines they are. */
  readonly complaints: Readonly<Record<'real' | 'twin', readonly [different: number, lines: number]>>
  readonly further: readonly FurtherComplaint[]
  readonly differences: readonly StoredDifference[]
  readonly bugs: readonly string[]
}

/** Between two changes: the slowest controller has seen the one when the next comes. */
const betweenMs = 6_000
/** So long after the last change both have come to the same, or they do not. */
const restMs = 120_000

export async function play(suite: Suite, sites: Sites, lastsMs: number): Promise<Played> {
  await suite.prepare()
  await using real = new Side('real', sites.real)
  await using twin = new Side('twin', sites.twin)
  const both = async (what: (side: Side) => Promise<unknown>) => {
    const [first, second] = await Promise.allSettled([what(real), what(twin)])
    if (first.status === 'rejected') throw first.reason
    if (second.status === 'rejected') throw second.reason
  }
  try {
    await both(side => suite.install(side))
    await both(side => suite.begin(side))
    const began = performance.now()
    let changes = 0
    for (let round = 0; performance.now() - began < lastsMs; round++)
      for (const step of suite.steps) {
        if (performance.now() - began >= lastsMs) break
        await both(side => step.change(side, round))
        changes++
        await both(side => pastMoment(side))
      }
    const objects = await comparedAtRest(suite, real, twin)
    const seconds = Math.round((performance.now() - began) / 1_000)
    const said = { real: real.complaints(), twin: twin.complaints() }
    const counted = ([...lines]: Iterable<readonly [string, number]>) =>
      [lines.length, lines.reduce((sum, [, count]) => sum + count, 0)] as const
    return {
      ...{ rounds: Math.floor(changes / suite.steps.length), changes, seconds, objects: objects.count },
      complaints: { real: counted(said.real), twin: counted(said.twin) },
      further: furtherComplaints(said.real, said.twin, isChance),
      differences: objects.differences,
      bugs: sites.bugs,
    }
  } finally {
    await Promise.all([real.endPrograms(), twin.endPrograms()])
  }
}

async function pastMoment(side: Side): Promise<void> {
  const until = performance.now() + betweenMs
  await side.until('the next change', () => {
    side.stillRunning()
    return performance.now() >= until
  })
}

async function comparedAtRest(
  suite: Suite,
  real: Side,
  twin: Side,
): Promise<{ readonly count: number; readonly differences: readonly StoredDifference[] }> {
  const deadline = performance.now() + restMs
  for (;;) {
    const [theirs, ours] = await Promise.all([real, twin].map(side => storedBy(side, suite.compared)))
    const differences = storedDifferences(theirs ?? [], ours ?? []).filter(difference => !isAccepted(difference))
    if (differences.length === 0 || performance.now() > deadline) return { count: ours?.length ?? 0, differences }
    await Promise.all([real, twin].map(pastMoment))
  }
}

/** Ends of generated names. */
const drawnSuffix = /(?<=-)[bcdfghjklmnpqrstvwxz2456789]{5}(?=")/g
/** Programs of each side have ports of their own. */
const ownPort = /localhost:\d+/g

async function storedBy(side: Side, resources: readonly string[]) {
  // Who of several writers of a status came first is chance, and managed fields tell it: other checks compare them.
  const text = await side.kubectl('get', resources.join(','), '-A', '-o', 'json')
  const stored = objectsOf(text.replaceAll(drawnSuffix, 'DRAWN').replaceAll(ownPort, 'ADDRESS').replaceAll(side.home, 'HOME'))
  // What servers make for themselves is compared by other checks.
  return stored.filter(
    ({ metadata: { namespace = '', name } }) => !/^(kube-.*|default)$/.test(namespace) && name !== 'kube-root-ca.crt',
  )
}
