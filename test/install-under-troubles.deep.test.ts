// What a controller brings along is installed in the end, whatever a server answers while it starts.
import { expect, test } from 'vitest'
import { openApi } from '#kube/client/api.ts'
import { VirtualClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import { startTwin } from '#twin/twin.ts'
import { installOurs } from '../src/process/controller/controller-install.ts'
import { TroubledWire, troubleKinds, WireScene } from './troubled-wire.ts'

test.each(['GET namespaces ballast', 'POST namespaces'])('%s: each trouble, four times and for five minutes', async key => {
  const wrong: string[] = []
  for (const kind of troubleKinds)
    for (const count of [4, undefined]) {
      const clock = new VirtualClock(Date.parse('2026-03-02T04:00:00Z'))
      const twin = await startTwin({ clock })
      const scene = new WireScene()
      const stop = new AbortController()
      const api = openApi(new TroubledWire(twin.transport({ admin: true }), clock, scene), { clock, userAgent: 'test' })
      scene.begin({ kind, key, ...(count !== undefined && { count }) })
      let end: unknown = 'never ended'
      const options = { capabilities: [], namespace: 'ballast', clock, log: silentLog }
      installOurs(api, options, stop.signal).then(
        () => (end = undefined),
        (error: unknown) => (end = error),
      )
      const isMade = () => twin.access.list('namespaces').some(({ metadata }) => metadata.name === 'ballast')
      clock.schedule(300_000, () => scene.end())
      await clock.runUntil(() => end === undefined && isMade(), { limitMs: 600_000 })
      if (end !== undefined || !isMade()) wrong.push(`${kind}, ${count ?? 'long'}: ${end}, made: ${isMade()}`)
      stop.abort(new DOMException('over', 'AbortError'))
      await twin.stop()
    }
  expect(wrong).toEqual([])
})
