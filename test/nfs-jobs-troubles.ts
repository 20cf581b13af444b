// The jobs of CSI's sidecars while their API server errs: each kind of trouble with each request of a scenario, and a server that is gone from any moment on.

import type { Transport } from '#kube/client/transport.ts'
import type { VirtualClock } from '#kube/clock.ts'
import { faults, type Scenario, siteOf } from './nfs-jobs-scenarios.ts'
import { type Trouble, TroubledWire, type TroubleKind, troubleKinds, WireScene } from './troubled-wire.ts'

const longMs = 120_000
const burst = 4
/** Back-offs of jobs go up to five minutes. */
const settleMs = 900_000

/** `burst`: the first four requests; `long`: for two minutes; a number: everything for two minutes, from that write on. */
export interface Run {
  readonly kind: TroubleKind
  readonly key: string
  readonly length: 'burst' | 'long' | number
}

export const nameOf = ({ kind, key, length }: Run): string =>
  `${key} ${kind}, ${typeof length === 'number' ? `from write ${length} on` : length}`

/** Requests of a run without trouble, and how many of them write. */
async function requestsOf(scenario: Scenario): Promise<{ readonly keys: readonly string[]; readonly writes: number }> {
  const { scene, writes, wrong } = await play(scenario, undefined)
  if (wrong.length > 0) throw new Error(`${scenario.name} is wrong without trouble: ${wrong.join('; ')}`)
  return { keys: [...scene.seen.keys()], writes }
}

/** Every run of a scenario. */
export async function runsOf(scenario: Scenario): Promise<readonly Run[]> {
  const { keys, writes } = await requestsOf(scenario)
  const each = keys.flatMap(key =>
    troubleKinds.flatMap(kind => (['burst', 'long'] as const).map((length): Run => ({ kind, key, length }))),
  )
  const gone = Array.from({ length: writes }, (_, at) =>
    (['reset', 'reset, and done', '503'] as const).map((kind): Run => ({ kind, key: '*', length: at + 1 })),
  )
  return [...each, ...gone.flat()]
}

/** What is wrong in the end, a line each; and how often trouble was met. */
export async function outcomeOf(
  scenario: Scenario,
  run: Run,
): Promise<{ readonly wrong: readonly string[]; readonly fired: number }> {
  const { wrong, scene } = await play(scenario, run)
  return { wrong, fired: scene.fired }
}

async function play(scenario: Scenario, run: Run | undefined) {
  const scene = new WireScene()
  let writes = 0
  const begin = (trouble: Trouble, clock: VirtualClock) => {
    scene.begin(trouble)
    if (trouble.count === undefined) clock.schedule(longMs, () => scene.end())
  }
  const between = (inner: Transport, clock: VirtualClock): Transport => {
    const wire = new TroubledWire(inner, clock, scene)
    return {
      request: request => {
        if (request.verb !== 'GET' && ++writes === run?.length) begin(run, clock)
        return wire.request(request)
      },
      stream: request => wire.stream(request),
      close: () => wire.close(),
    }
  }
  await using site = await siteOf(scenario, { between })
  if (run !== undefined && typeof run.length === 'string')
    begin({ kind: run.kind, key: run.key, ...(run.length === 'burst' ? { count: burst } : {}) }, site.clock)
  const wrong: string[] = []
  site.start()
  try {
    await scenario.drive(site)
  } catch (error) {
    wrong.push(`it does not come to its end: ${String(error).slice(0, 200)}`)
  }
  const driven = writes
  scene.end()
  await site.pass(settleMs)
  // Where the answer itself is an object that is none, the log says so of that object.
  const isBent = /^(an item|no metadata|metadata of texts)/.test(run?.kind ?? '')
  wrong.push(...faults(site, scenario).filter(line => !(isBent && line.startsWith('error: a fault of its own'))))
  if (site.started > 1) wrong.push(`the jobs ended ${site.started - 1} times`)
  return { scene, writes: driven, wrong }
}
