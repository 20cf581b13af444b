// What a controller brings along is installed in the end, whatever a server answers: each kind of trouble with each request of it, from the
// first on, and when half of it is there. All that waits for it goes on as soon as the server lets it.
import { expect, test } from 'vitest'
import { openApi } from '#kube/client/api.ts'
import { VirtualClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import { startTwin } from '#twin/twin.ts'
import { installOurs } from '../src/process/controller/controller-install.ts'
import { enabledCapabilities } from '../src/process/enabled-capabilities.ts'
import { shareOf } from './long-share.ts'
import { TroubledWire, type TroubleKind, troubleKinds, WireScene } from './troubled-wire.ts'

const { signal } = new AbortController()
const definitions = enabledCapabilities.flatMap(({ kinds }) =>
  kinds.flatMap(({ definition, owner }) => (definition === undefined || owner !== 'ours' ? [] : [definition])),
)

interface Run {
  readonly key: string
  readonly kind: TroubleKind
  readonly moment: 'at start' | 'under way'
  /** How often; absent: for five minutes. */
  readonly count?: number
}

/** What is wrong in the end, and which requests there were. */
async function play(run: Run | undefined): Promise<{ readonly wrong: readonly string[]; readonly keys: readonly string[] }> {
  const clock = new VirtualClock(Date.parse('2026-03-02T04:00:00Z'))
  await using twin = await startTwin({ clock })
  // What a twin makes at the first request takes the host's time.
  const admin = openApi(twin.transport({ admin: true }), { clock, userAgent: 'admin' })
  await admin.discover(signal)
  await admin.close()
  const scene = new WireScene()
  const stop = new AbortController()
  const api = openApi(new TroubledWire(twin.transport({ admin: true }), clock, scene), { clock, userAgent: 'test' })
  const namesOf = (resource: string) => twin.access.list(resource).map(({ metadata }) => metadata.name)
  const kinds = () => namesOf('customresourcedefinitions.apiextensions.k8s.io')
  const missing = () => [
    ...definitions.map(({ metadata }) => metadata.name).filter(name => !kinds().includes(name)),
    ...(namesOf('namespaces').includes('ballast') ? [] : ['namespace']),
  ]
  const begin = () => {
    if (run !== undefined) scene.begin({ kind: run.kind, key: run.key, ...(run.count !== undefined && { count: run.count }) })
  }
  const half = Math.floor(new Set(definitions.map(({ metadata }) => metadata.name)).size / 2)
  if (run?.moment === 'at start') begin()
  let end: unknown = 'never ended'
  const events = { emit: () => undefined }
  const options = { capabilities: enabledCapabilities, namespace: 'ballast', clock, log: silentLog, events }
  installOurs(api, options, stop.signal).then(
    () => (end = undefined),
    (error: unknown) => (end = error),
  )
  if (run?.moment === 'under way') {
    await clock.runUntil(() => kinds().length >= half, { limitMs: 60_000 })
    begin()
  }
  clock.schedule(300_000, () => scene.end())
  await clock.runUntil(() => end === undefined && missing().length === 0, { limitMs: 600_000 })
  const wrong = [...(end === undefined ? [] : [`it ended: ${end}`]), ...missing().map(name => `not there: ${name}`)]
  for (const definition of definitions) {
    const [found, ...more] = twin.access
      .list('customresourcedefinitions.apiextensions.k8s.io')
      .filter(({ metadata }) => metadata.name === definition.metadata.name)
    if (more.length > 0) wrong.push(`there twice: ${definition.metadata.name}`)
    if (found !== undefined) expect(found).toMatchObject({ spec: definition['spec'] })
  }
  stop.abort(new DOMException('over', 'AbortError'))
  await api.close()
  return { wrong, keys: [...scene.seen.keys()] }
}

test('each trouble with each request, four times and for five minutes', { timeout: 3_600_000 }, async () => {
  const whole = await play(undefined)
  expect([whole.wrong, whole.keys.some(key => key.startsWith('PATCH customresourcedefinitions'))]).toEqual([[], true])
  const runs = whole.keys.flatMap(key =>
    troubleKinds.flatMap(kind =>
      (['at start', 'under way'] as const).flatMap(moment => [
        { key, kind, moment, count: 4 },
        { key, kind, moment },
      ]),
    ),
  )
  const wrong: string[] = []
  for (const run of shareOf(runs, '1/16')) {
    const outcome = await play(run)
    if (outcome.wrong.length > 0)
      wrong.push(`${run.key}: ${run.kind}, ${run.moment}, ${run.count ?? 'long'}: ${outcome.wrong.join(', ')}`)
  }
  expect(wrong).toEqual([])
})
