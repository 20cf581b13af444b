// Reload beside upstream's Reloader on a real API server: its load scenarios, and the swap from one to the other and back.
import { deepStrictEqual, ok } from 'node:assert'
import type { Check } from '../check.ts'
import { reloaderPort } from '../upstreams/build.ts'
import { judgeDropIn } from './drop-in.ts'
import { quantile } from './judge.ts'
import { type ProgramName, programNames } from './programs.ts'
import { openReplay, type Played } from './replay.ts'
import type { Scenario } from './scenario.ts'
import { scenarios } from './scenarios.ts'
import { judgeSwap } from './swap.ts'
import { figuresOf, replayTable } from './table.ts'

/** A few seconds of each; what is done every other second comes a bit more often. */
const shortForm = { seconds: 4, pace: 0.4 } as const
/** How much longer a pause may be than its period. */
const pauseSlackMs = 4_000

const momentOnceMs = 2_000
/** A change is a write, its watch event, a read, a permit, a patch and its watch event. */
const echoesInMoment = 6

/** What upstream itself must have done for a comparison to say anything. */
const leastOfUpstream = 0.85

/** How long a change may stand and be overtaken all the same: longer on a machine on which every write takes long. */
function momentMs({ echoesMs }: Played): number {
  return momentOnceMs + echoesInMoment * quantile(echoesMs, 0.99)
}

function judgeScenario(scenario: Scenario, played: readonly Played[]): void {
  const theirs = played.find(({ program }) => program === 'Reloader')
  ok(theirs !== undefined)
  const seen = (theirs.exact + theirs.joined) / theirs.expected
  ok(seen >= leastOfUpstream || scenario.id === 'S6', `${scenario.id}: Reloader acted on ${seen} of what was expected`)
  for (const one of played.filter(({ program }) => program !== 'Reloader')) {
    const who = `${scenario.id} ${one.program}`
    ok(one.expected > 0, `${who}: nothing was expected`)
    deepStrictEqual(one.missed, [], `${who} missed`)
    deepStrictEqual(one.unexpected, [], `${who} rolled out what nobody asked for`)
    deepStrictEqual(one.errors, 0, `${who} failed`)
    const { leastExact } = scenario
    if (leastExact === 'as-they-come') {
      const { longestPassedOverMs } = one
      ok(
        longestPassedOverMs <= momentMs(one),
        `${who}: a change that stood for ${Math.round(longestPassedOverMs)} ms was passed over`,
      )
    } else ok(one.exact >= leastExact * one.expected, `${who}: ${one.exact} of ${one.expected} by themselves`)
    if (scenario.pauseMs !== undefined) {
      const { pauseMs } = scenario
      const wrong = one.pausesMs.filter(ms => !(ms > pauseMs - 2_000 && ms < pauseMs + pauseSlackMs))
      ok(one.pausesMs.length > 0 && wrong.length === 0, `${who}: pauses of ${wrong.join(', ')} ms`)
    }
    if (scenario.id === 'S14' && one.program === 'ballast reloader')
      deepStrictEqual(one.counted, theirs.counted, `${who}: counters`)
    if (scenario.id === 'S1' && one.program === 'ballast reloader')
      deepStrictEqual(
        [one.listed.counted, theirs.listed.counted],
        [one.listed.there, theirs.listed.there],
        `${who}: the first list`,
      )
    // The last change of each source is the same for all, so is what is written of it.
    if (theirs.missed.length === 0) deepStrictEqual(one.marks, theirs.marks, `${who}: other values than Reloader's`)
  }
}

async function judgeScenarios(programs: readonly ProgramName[]): Promise<string> {
  await using replay = await openReplay()
  const played: Played[] = []
  for (const program of programs) played.push(...(await replay.play(program, scenarios, shortForm)))
  const table = replayTable(played.map(figuresOf))
  try {
    for (const scenario of scenarios)
      judgeScenario(
        scenario,
        played.filter(one => one.scenario === scenario.id),
      )
  } catch (cause) {
    throw new Error(`${cause instanceof Error ? cause.message : String(cause)}\n${table}`, { cause })
  }
  return `${scenarios.length} scenarios before ${programs.length} programs, every change acted on, the values Reloader's\n${table}`
}

export const reloadChecks: readonly Check[] = [
  { name: "reload: the drop-in with Reloader's role", run: () => judgeDropIn(false) },
  { name: "reload: the drop-in with Reloader's role and --enable-ha", run: () => judgeDropIn(true) },
  // It measures.
  { name: 'reload: S1 to S14 beside Reloader', alone: true, run: () => judgeScenarios(programNames) },
  { name: 'reload: Reloader to Ballast and back, env-vars', port: reloaderPort, run: () => judgeSwap('env-vars') },
  { name: 'reload: Reloader to Ballast and back, annotations', port: reloaderPort, run: () => judgeSwap('annotations') },
]
