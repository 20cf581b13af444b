// Writes that meet others' writes: update loops, finalizers, applies, and conditions that change only when something did.

import { describe, expect, test } from 'vitest'
import { answer, refusal, type Scripted, ScriptedTransport, type SeenRequest } from '#test/scripted-transport.ts'
import { VirtualClock } from '../clock.ts'
import { isConditionTrue, type NewCondition, withCondition } from '../objects/conditions.ts'
import type { Condition, KubeObject, ManagedFieldsEntry } from '../objects/objects.ts'
import { builtIn } from '../objects/resource.ts'
import { isConflict } from '../objects/status.ts'
import { openApi, type ResourceApi } from './api.ts'
import { appliedFields, applyFields, fieldConflictCondition } from './apply.ts'
import { addFinalizer, removeFinalizer } from './finalizers.ts'
import { updateObject } from './update.ts'

const signal = new AbortController().signal

function object(resourceVersion: string, metadata: object = {}, more: object = {}): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'a', namespace: 'shop', resourceVersion, ...metadata },
    ...more,
  }
}

function scene(script: (request: SeenRequest, index: number) => Scripted): {
  maps: ResourceApi<KubeObject>
  clock: VirtualClock
  transport: ScriptedTransport
} {
  const clock = new VirtualClock(0)
  const transport = new ScriptedTransport(script)
  return { maps: openApi(transport, { clock, userAgent: 'test' }).resource(builtIn.configmaps), clock, transport }
}

describe('an update loop', () => {
  test('reads again when another was faster, five times', async () => {
    const { maps, clock, transport } = scene(({ verb }, index) =>
      verb === 'GET' ? answer(200, object(String(index))) : refusal(409, 'Conflict'),
    )
    const done = updateObject(maps, 'a', one => ({ ...one, data: {} }), { clock, random: () => 0, signal, namespace: 'shop' })
    const failed = expect(done).rejects.toSatisfy(isConflict)
    await clock.advance(1000)
    await failed
    expect(transport.seen.map(request => request.verb)).toEqual(Array.from({ length: 5 }, () => ['GET', 'PUT']).flat())
    // Each write is of what was just read.
    expect(transport.seen[9]?.body).toMatchObject({ metadata: { resourceVersion: '8' } })
  })

  test('writes nothing when nothing is to change', async () => {
    const { maps, clock, transport } = scene(() => answer(200, object('1')))
    await updateObject(maps, 'a', one => one, { clock, random: () => 0, signal, namespace: 'shop' })
    expect(transport.seen).toHaveLength(1)
  })
})

describe('finalizers', () => {
  const ours = 'ballast.dev/x'

  test.each<[string, string[], unknown]>([
    [
      'the first',
      [],
      [
        { op: 'test', path: '/metadata/resourceVersion', value: '1' },
        { op: 'add', path: '/metadata/finalizers', value: [ours] },
      ],
    ],
    [
      'beside others',
      ['other'],
      [
        { op: 'test', path: '/metadata/resourceVersion', value: '1' },
        { op: 'add', path: '/metadata/finalizers/-', value: ours },
      ],
    ],
    ['there already', [ours], undefined],
  ])('add: %s', async (_, finalizers, expected) => {
    const { maps, transport } = scene(() => answer(200, object('2')))
    await addFinalizer(maps, object('1', { finalizers }), ours, { signal })
    expect(transport.seen[0]?.body).toEqual(expected)
  })

  test('remove: only where it stands, after a fresh read when it moved', async () => {
    const { maps, transport } = scene(({ verb }, index) => {
      if (index === 0) return refusal(422, 'Invalid', 'the server rejected our request due to an error in our request')
      return verb === 'GET' ? answer(200, object('2', { finalizers: ['other', ours] })) : answer(200, object('3'))
    })
    await removeFinalizer(maps, object('1', { finalizers: [ours, 'other'] }), ours, { signal })
    expect(transport.seen.map(request => request.body)).toEqual([
      [
        { op: 'test', path: '/metadata/finalizers/0', value: ours },
        { op: 'remove', path: '/metadata/finalizers/0' },
      ],
      undefined,
      [
        { op: 'test', path: '/metadata/finalizers/1', value: ours },
        { op: 'remove', path: '/metadata/finalizers/1' },
      ],
    ])
  })

  test('remove: an object that is gone is done', async () => {
    const { maps } = scene(() => refusal(404, 'NotFound'))
    await removeFinalizer(maps, object('1', { finalizers: [ours] }), ours, { signal })
  })
})

describe('apply', () => {
  test('7.27 a conflict is an outcome that names who owns what', async () => {
    const causes = [{ reason: 'FieldManagerConflict', message: 'conflict with "kubectl" using v1', field: '.data.x' }]
    const { maps } = scene(() =>
      refusal(409, 'Conflict', 'Apply failed with 1 conflict: conflict with "kubectl" using v1: .data.x', { causes }),
    )
    const outcome = await applyFields(maps, object('', {}, { data: { x: '1' } }), { signal, fieldManager: 'ballast-test' })
    expect(outcome).toEqual({ kind: 'conflict', conflicts: [{ manager: 'kubectl', field: '.data.x' }] })
    expect(outcome.kind === 'conflict' && fieldConflictCondition(outcome.conflicts, 3)).toEqual({
      type: 'FieldConflict',
      status: 'True',
      reason: 'FieldConflict',
      message: '.data.x is owned by kubectl',
      observedGeneration: 3,
    })
  })

  test('what we applied is found among what others own', () => {
    const entry = (manager: string, fieldsV1: ManagedFieldsEntry['fieldsV1'], more: object = {}): ManagedFieldsEntry => ({
      manager,
      operation: 'Apply',
      apiVersion: 'apps/v1',
      fieldsType: 'FieldsV1',
      fieldsV1,
      ...more,
    })
    const managedFields = [
      entry('kubectl', { 'f:spec': { 'f:paused': {} } }),
      entry('ours', { 'f:status': { 'f:x': {} } }, { subresource: 'status' }),
      entry('ours', {
        'f:metadata': { 'f:labels': { 'f:ours': {} } },
        'f:spec': {
          'f:replicas': {},
          'f:containers': {
            'k:{"name":"web"}': { '.': {}, 'f:image': {}, 'f:name': {} },
            'k:{"name":"gone"}': { 'f:image': {} },
          },
          'f:finalizers': { 'v:"b"': {} },
          'f:items': { 'i:1': {} },
          'f:atomic': {},
        },
      }),
    ]
    const spec = {
      paused: true,
      replicas: 3,
      containers: [
        { name: 'sidecar', image: 's' },
        { name: 'web', image: 'w', tty: true },
      ],
      finalizers: ['a', 'b'],
      items: ['x', 'y'],
      atomic: { deep: [1] },
    }
    const live = object('5', { managedFields, labels: { ours: '1', theirs: '2' }, uid: 'u' }, { spec, status: { x: 1 } })
    expect(appliedFields(live, 'ours')).toEqual({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'a', namespace: 'shop', labels: { ours: '1' } },
      spec: { replicas: 3, containers: [{ name: 'web', image: 'w' }], finalizers: ['b'], items: ['y'], atomic: { deep: [1] } },
    })
    expect(appliedFields(live, 'nobody')).toBeUndefined()
  })
})

describe('conditions', () => {
  const known: Condition = {
    type: 'Ready',
    status: 'True',
    reason: 'Ok',
    message: 'well',
    observedGeneration: 1,
    lastTransitionTime: '2026-01-01T00:00:00Z',
  }
  const same: NewCondition = { type: 'Ready', status: 'True', reason: 'Ok', message: 'well', observedGeneration: 1 }
  const nowMs = Date.UTC(2026, 0, 2)

  test.each<[string, Partial<NewCondition>, Partial<Condition>]>([
    ['another status moves the time', { status: 'False' }, { status: 'False', lastTransitionTime: '2026-01-02T00:00:00Z' }],
    ['another message does not', { message: 'fine' }, { message: 'fine', lastTransitionTime: '2026-01-01T00:00:00Z' }],
    [
      'another generation does not',
      { observedGeneration: 2 },
      { observedGeneration: 2, lastTransitionTime: '2026-01-01T00:00:00Z' },
    ],
  ])('%s', (_, change, expected) => {
    const other: Condition = { type: 'Other', status: 'True' }
    const [first, second, ...rest] = withCondition([other, known], { ...same, ...change }, nowMs)
    expect(first).toBe(other)
    expect(second).toEqual({ ...known, ...expected })
    expect(rest).toEqual([])
  })

  test('the same says that no write is needed', () => {
    const conditions = [known]
    expect(withCondition(conditions, same, nowMs)).toBe(conditions)
  })

  test('a new one comes last', () => {
    expect(withCondition([known], { ...same, type: 'New' }, nowMs).map(one => one.type)).toEqual(['Ready', 'New'])
    expect(isConditionTrue([known], 'Ready')).toBe(true)
    expect(isConditionTrue(undefined, 'Ready')).toBe(false)
  })
})
