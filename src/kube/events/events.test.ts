// kube-machinery.md §7, case 26: series, the spam filter, and that events never get in the way.

import { describe, expect, test } from 'vitest'
import { answer, broken, refusal, type Scripted, ScriptedTransport, type SeenRequest } from '#test/scripted-transport.ts'
import { openApi } from '../client/api.ts'
import { VirtualClock } from '../clock.ts'
import type { EmittedEvent } from './event-object.ts'
import { EventRecorder } from './events.ts'

const evicted: EmittedEvent = {
  type: 'Normal',
  reason: 'Evicted',
  action: 'Evict',
  regarding: { apiVersion: 'v1', kind: 'Pod', namespace: 'shop', name: 'cart-a', uid: 'u1' },
  note: 'moved to talos03',
}

interface Scene {
  readonly clock: VirtualClock
  readonly seen: readonly SeenRequest[]
  readonly recorder: EventRecorder
  asked(): string[]
}

function scene(options: { spamFilter?: boolean; script?: (request: SeenRequest, index: number) => Scripted } = {}): Scene {
  const clock = new VirtualClock(Date.UTC(2026, 0, 1))
  const transport = new ScriptedTransport(options.script ?? (() => answer(200, { metadata: { name: 'a' } })))
  const api = openApi(transport, { clock, userAgent: 'test' })
  const recorder = new EventRecorder(api, {
    clock,
    random: () => 0,
    controller: 'ballast.dev/deschedule',
    instance: 'controller-host',
    spamFilter: options.spamFilter ?? true,
  })
  const asked = () =>
    transport.seen.map(({ verb, body }) => `${verb} ${JSON.stringify(body).match(/"count":(\d+)/)?.[1] ?? ''}`.trim())
  return { clock, seen: transport.seen, recorder, asked }
}

describe('7.26 forty identical events in a second', () => {
  async function forty(spamFilter: boolean): Promise<Scene> {
    const made = scene({ spamFilter })
    for (let index = 0; index < 40; index++) {
      made.recorder.emit(evicted)
      await made.clock.advance(25)
    }
    return made
  }

  test('are one event and a series of two, and its end is written when it has been quiet for 6 minutes', async () => {
    const { clock, asked, seen } = await forty(false)
    expect(asked()).toEqual(['POST', 'PATCH 2'])
    // The last one came at 975 ms.
    await clock.advance(359_900)
    expect(asked()).toHaveLength(2)
    await clock.advance(200)
    expect(asked()).toEqual(['POST', 'PATCH 2', 'PATCH 40'])
    expect(seen[2]?.body).toEqual({ series: { count: 40, lastObservedTime: '2026-01-01T00:00:00.975000Z' } })
    await clock.advance(3_600_000)
    expect(asked()).toHaveLength(3)
  })

  test('are 25 where the filter is on, and the next one says how many were dropped', async () => {
    const { clock, recorder, seen } = await forty(true)
    expect(recorder.counts).toMatchObject({ merged: 24, dropped: 15 })
    await clock.advance(400_000)
    recorder.emit(evicted)
    await clock.quiet()
    expect(seen.at(-1)?.body).toMatchObject({ note: 'moved to talos03 (15 similar suppressed)' })
  })
})

test('a series that goes on is written every 30 minutes', async () => {
  const { clock, recorder, asked } = scene({ spamFilter: false })
  for (let minute = 0; minute < 70; minute++) {
    recorder.emit(evicted)
    await clock.advance(60_000)
  }
  expect(asked()).toEqual(['POST', 'PATCH 2', 'PATCH 30', 'PATCH 60'])
})

test('an event is what events.k8s.io/v1 asks for', async () => {
  const { clock, recorder, seen } = scene()
  recorder.emit({ ...evicted, note: 'ü'.repeat(600), related: { apiVersion: 'v1', kind: 'Node', name: 'talos03' } })
  recorder.emit({
    ...evicted,
    regarding: { apiVersion: 'v1', kind: 'Node', name: 'n'.repeat(253) },
    controller: 'ballast.dev/other',
  })
  await clock.quiet()
  const [first, second] = seen
  expect(first).toMatchObject({ verb: 'POST', path: '/apis/events.k8s.io/v1/namespaces/shop/events', priority: 'event' })
  expect(first?.body).toMatchObject({
    metadata: { name: 'cart-a.0000000000000000', namespace: 'shop' },
    eventTime: '2026-01-01T00:00:00.000000Z',
    reportingController: 'ballast.dev/deschedule',
    reportingInstance: 'controller-host',
    action: 'Evict',
    reason: 'Evicted',
    type: 'Normal',
    regarding: evicted.regarding,
    related: { kind: 'Node', name: 'talos03' },
    // 510 characters of two bytes and the mark of three.
    note: `${'ü'.repeat(510)}…`,
  })
  expect(second?.path).toBe('/apis/events.k8s.io/v1/namespaces/default/events')
  expect(second?.body).toMatchObject({
    reportingController: 'ballast.dev/other',
    metadata: { name: `${'n'.repeat(236)}.0000000000000000` },
  })
})

describe('a server in trouble', () => {
  test.each([
    ['a broken connection', broken(), 13],
    ['503', refusal(503, 'ServiceUnavailable'), 13],
    ['429', refusal(429, 'TooManyRequests'), 13],
    ['403 of a namespace that is being deleted', refusal(403, 'Forbidden'), 1],
  ])('%s', async (_, said, requests) => {
    const { clock, recorder, seen } = scene({ script: () => said })
    recorder.emit(evicted)
    await clock.advance(600_000)
    expect(seen).toHaveLength(requests)
    expect(recorder.counts).toMatchObject({ sent: 0, failed: 1 })
  })

  test('an event that is gone when its series goes on is made anew', async () => {
    const { clock, recorder, asked } = scene({
      script: (_, index) => (index === 1 ? refusal(404, 'NotFound') : answer(200, { metadata: { name: 'a' } })),
    })
    recorder.emit(evicted)
    await clock.quiet()
    recorder.emit(evicted)
    await clock.quiet()
    expect(asked()).toEqual(['POST', 'PATCH 2', 'POST 2'])
  })

  test('what cannot be queued is dropped and counted, and the end does not wait for ever', async () => {
    const { clock, recorder } = scene({ spamFilter: false, script: () => ({ kind: 'hanging' }) })
    for (let index = 0; index < 1100; index++) recorder.emit({ ...evicted, reason: `Reason${index}` })
    expect(recorder.counts.dropped).toBe(92)
    const flushed = recorder.flush()
    await clock.advance(2000)
    await flushed
    expect(recorder.counts.sent).toBe(0)
  })
})

test('annotations go with the event, and what is distinct is a series of its own', async () => {
  const { clock, recorder, seen } = scene()
  const denied = { ...evicted, reason: 'DisruptionDenied' }
  recorder.emit({ ...denied, annotations: { 'example.org/verdict': '{"rule":"lock"}' }, distinction: 'lock' })
  recorder.emit({ ...denied, annotations: { 'example.org/verdict': '{"rule":"freeze"}' }, distinction: 'freeze' })
  recorder.emit({ ...denied, annotations: { 'example.org/verdict': '{"rule":"lock"}' }, distinction: 'lock' })
  await clock.quiet()
  expect(seen.map(({ verb }) => verb)).toEqual(['POST', 'POST', 'PATCH'])
  expect(seen[0]?.body).toMatchObject({ metadata: { annotations: { 'example.org/verdict': '{"rule":"lock"}' } } })
  expect(seen[0]?.body).not.toHaveProperty('distinction')
  expect(seen[1]?.body).toMatchObject({ metadata: { annotations: { 'example.org/verdict': '{"rule":"freeze"}' } } })
})

describe('an event of a component', () => {
  const reloaded: EmittedEvent = {
    type: 'Normal',
    reason: 'Reloaded',
    action: 'Reload',
    regarding: { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'shop', name: 'cart', uid: 'u2' },
    note: "Changes detected in 'db'",
    distinction: "Changes detected in 'db'",
    component: 'reloader-secrets',
  }

  test('is one of the core group, as client-go writes it', async () => {
    const { clock, recorder, seen } = scene()
    recorder.emit(reloaded)
    await clock.quiet()
    expect(seen.map(({ verb, path }) => `${verb} ${path}`)).toEqual(['POST /api/v1/namespaces/shop/events'])
    expect(seen[0]?.body).toEqual({
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: 'cart.0000000000000000', namespace: 'shop' },
      involvedObject: { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'shop', name: 'cart', uid: 'u2' },
      reason: 'Reloaded',
      message: "Changes detected in 'db'",
      source: { component: 'reloader-secrets' },
      firstTimestamp: '2026-01-01T00:00:00Z',
      lastTimestamp: '2026-01-01T00:00:00Z',
      count: 1,
      type: 'Normal',
      reportingComponent: 'reloader-secrets',
      reportingInstance: '',
    })
  })

  test('counts on each time it happens again, and other words are another event', async () => {
    const { clock, recorder, seen } = scene()
    for (let time = 0; time < 3; time++) {
      recorder.emit(reloaded)
      await clock.advance(60_000)
    }
    recorder.emit({ ...reloaded, note: "Changes detected in 'other'", distinction: "Changes detected in 'other'" })
    await clock.quiet()
    expect(seen.map(({ verb, body }) => [verb, body])).toEqual([
      ['POST', expect.objectContaining({ count: 1 })],
      ['PATCH', { count: 2, lastTimestamp: '2026-01-01T00:01:00Z' }],
      ['PATCH', { count: 3, lastTimestamp: '2026-01-01T00:02:00Z' }],
      ['POST', expect.objectContaining({ count: 1, message: "Changes detected in 'other'" })],
    ])
  })
})
