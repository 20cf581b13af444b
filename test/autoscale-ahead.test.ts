// Images are asked for before a window opens, on the twin, by the part of `ballast controller`.
import { expect, test } from 'vitest'
import type { PullAhead } from '#coordination/ports/pull-ahead.ts'
import { Informers } from '#kube/informers/informer.ts'
import { silentLog } from '#kube/log.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { seededRandom } from '#kube/random.ts'
import { startPullingAhead } from '../src/capabilities/autoscale/ahead/pull-part.ts'
import { autoscaleConfiguration } from '../src/capabilities/autoscale/config.ts'
import { scaledObjects } from '../src/capabilities/autoscale/names.ts'
import { AutoscaleSite, hourly, scaled } from './autoscale-site.ts'

test('ten minutes before a window its images are asked for, once; a failure is no fault, and nobody who pulls is none', async () => {
  await using site = await AutoscaleSite.start(0)
  const { clock, api, signal } = site
  await using informers = new Informers(api, { clock, random: seededRandom(1), log: silentLog, signal })
  const wishes: string[] = []
  const told: string[] = []
  const startedMs = clock.now()
  const ahead: PullAhead = {
    pull: async ({ requester, images, nodes, deadlineMs }) => {
      const at = (ms: number) => (ms - startedMs) / 60_000
      wishes.push(`${at(clock.now())}: ${requester} ${images.join(' ')} on ${nodes.join(' ')} until ${at(deadlineMs)}`)
      throw new Error('no agent answers')
    },
  }
  let isOffered = false
  const ports = { take: () => (isOffered ? ahead : undefined), offer: () => undefined } as never
  const ofWindows = { annotations: { 'ballast.dev/pull-ahead': 'true' } }
  await site.create(scaledObjects, scaled('web', { triggers: [hourly('30 * * * *', '40 * * * *', 1)] }, ofWindows))
  for (const resource of [scaledObjects, builtIn.deployments, builtIn.statefulsets, builtIn.nodes]) informers.of(resource)
  await using part = await startPullingAhead(
    { informers, clock, log: silentLog, ports, events: { emit: ({ reason, note }) => void told.push(`${reason} ${note}`) } },
    autoscaleConfiguration.parse({}),
    signal,
  )
  await clock.advance(22 * 60_000)
  expect(wishes).toEqual([])
  isOffered = true
  await clock.advance(30 * 60_000)
  expect(wishes).toEqual([expect.stringMatching(/^23: autoscale \S+ on \S+ \S+ until 30$/)])
  // The next hour's window, with the agent there from the beginning.
  await clock.advance(60 * 60_000)
  expect(wishes[1]).toMatch(/^80: autoscale \S+ on \S+ \S+ until 90$/)
  expect(wishes).toHaveLength(2)
  expect(told).toEqual(Array(2).fill('ImagesNotPulledAhead Images could not be pulled before the window: no agent answers'))
  expect(part.health()).toEqual([{ name: 'autoscale-ahead', ok: true, message: 'images are pulled for 0 windows' }])
})
