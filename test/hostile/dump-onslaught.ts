// Hostile dumps into a twin, and what must hold: it starts, its components run for ten minutes without a fault of their own, each object
// that is not there afterwards was told of, and a healthy Deployment beside them rolls out.
import { readDocuments } from '#cluster/documents.ts'
import { VirtualClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { seededRandom } from '#kube/random.ts'
import { numberAt } from '#twin/json-value.ts'
import { troubleText } from '#twin/trouble.ts'
import { startTwin } from '#twin/twin.ts'
import { hostileDump } from './dumps.ts'

const startMs = Date.parse('2026-01-01T00:00:00Z')
const minutesMs = 600_000
const mostSteps = 20_000
/** Milliseconds that one dump may take of real time, as a sign that something grows with what is in it. */
const longestMs = 60_000

/** Starts a twin with the dump of `seed`; what did not hold is said, a line each. */
export async function dumpOnTwin(seed: number, count: number): Promise<readonly string[]> {
  const random = seededRandom(seed)
  const dump = hostileDump(random, count)
  // As the command line reads it, and as a program hands it in.
  const objects =
    seed % 2 === 0
      ? readDocuments('dump.json', dump.text).objects.map(({ object }) => object)
      : (dump.items as readonly KubeObject[])
  const clock = new VirtualClock(startMs)
  const findings = new Set<string>()
  const startedMs = performance.now()
  try {
    await using twin = await startTwin({
      clock,
      seed,
      objects,
      authorization: 'AlwaysAllow',
      onTrouble: trouble => findings.add(`${troubleText(trouble)}\n${trouble.error instanceof Error ? trouble.error.stack : ''}`),
    })
    const untilMs = clock.elapsed() + minutesMs
    // Later it may be evicted by right, where a hostile pod has the memory of its node.
    let isWell = false
    for (let step = 0; step < mostSteps && clock.elapsed() < untilMs; step++) {
      await clock.quiet()
      isWell ||= numberAt(twin.access.get('deployments.apps', 'healthy', 'well'), 'status', 'availableReplicas') === 2
      if (!clock.step()) break
    }
    if (clock.now() > Date.parse('2100-01-01T00:00:00Z'))
      findings.add(`one object moved the clock to ${new Date(clock.now()).getFullYear()}`)
    const well = twin.access.get('deployments.apps', 'healthy', 'well')
    if (!isWell)
      findings.add(
        `the healthy Deployment did not roll out: ${JSON.stringify(well?.['status'])} ${JSON.stringify(twin.access.list('pods', 'healthy').map(pod => pod['status']))}`,
      )
    const vague = twin.report.problems.filter(({ where, found, expected }) => where === '' || found === '' || expected === '')
    if (vague.length > 0) findings.add(`problems that do not say where, what or what would be right: ${JSON.stringify(vague)}`)
    const stored = twin.report.loaded + twin.report.problems.length
    if (stored < objects.length) findings.add(`${objects.length} objects came, ${stored} are loaded or told of`)
  } catch (error) {
    findings.add(`the twin did not start: ${error instanceof Error ? error.stack : String(error)}`)
  }
  if (performance.now() - startedMs > longestMs) findings.add(`took ${Math.round(performance.now() - startedMs)} ms`)
  if (Reflect.get({}, 'polluted') !== undefined) findings.add('the prototype of all objects was changed')
  return [...findings]
}
