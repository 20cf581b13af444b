import { describe, expect, test } from 'vitest'
import { type OrdinalPod, type StatefulAction, type StatefulShape, statefulSetActions } from './statefulset-step.ts'

const shape: StatefulShape = {
  start: 0,
  replicas: 3,
  isOrdered: true,
  isOnDelete: false,
  partition: 0,
  updateRevision: 'new',
}

function pod(ordinal: number, options: Partial<OrdinalPod> = {}): OrdinalPod {
  return {
    name: `s-${ordinal}`,
    ordinal,
    revision: 'new',
    isFinished: false,
    isTerminating: false,
    isReady: true,
    isAvailable: true,
    ...options,
  }
}

const broken = { isReady: false, isAvailable: false }
const create = (ordinal: number, revision: 'current' | 'update' = 'update'): StatefulAction => ({
  kind: 'create',
  ordinal,
  revision,
})
const remove = (ordinal: number, why: 'finished' | 'scaled-down' | 'updated'): StatefulAction => ({
  kind: 'delete',
  name: `s-${ordinal}`,
  why,
})
const old = { revision: 'old' }

describe('in order', () => {
  // biome-ignore format: a table
  test.each<[string, Partial<StatefulShape>, readonly OrdinalPod[], readonly StatefulAction[]]>([
    ['an empty set begins with the first', {}, [], [create(0)]],
    ['the next one waits for the one before to be ready', {}, [pod(0, broken)], []],
    ['and comes when it is', {}, [pod(0)], [create(1)]],
    ['ready is not enough while minReadySeconds run', {}, [pod(0, { isAvailable: false })], []],
    ['a lost pod in the middle is made anew before others', {}, [pod(0), pod(2)], [create(1)]],
    ['a terminating pod is waited for', {}, [pod(0), pod(1, { isTerminating: true }), pod(2)], []],
    ['a failed pod is deleted to be made anew', {}, [pod(0), pod(1, { isFinished: true, ...broken }), pod(2)], [remove(1, 'finished')]],
    ['ordinals may start elsewhere', { start: 5, replicas: 1 }, [], [create(5)]],
    ['below the partition the current revision is made', { partition: 2 }, [pod(0)], [create(1, 'current')]],
    ['scaling down takes the highest', { replicas: 1 }, [pod(0), pod(1), pod(2)], [remove(2, 'scaled-down')]],
    ['and waits until it is gone', { replicas: 1 }, [pod(0), pod(1), pod(2, { isTerminating: true })], []],
    ['scaling down waits while a lower pod is not well', { replicas: 1 }, [pod(0, broken), pod(1), pod(2)], []],
  ])('%s', (_, change, pods, expected) => {
    expect(statefulSetActions({ ...shape, ...change }, pods)).toEqual(expected)
  })
})

describe('in parallel', () => {
  const parallel = { isOrdered: false }
  // biome-ignore format: a table
  test.each<[string, Partial<StatefulShape>, readonly OrdinalPod[], readonly StatefulAction[]]>([
    ['all are made at once', {}, [], [create(0), create(1), create(2)]],
    ['all surplus ones go at once, highest first', { replicas: 0 }, [pod(0), pod(1)], [remove(1, 'scaled-down'), remove(0, 'scaled-down')]],
  ])('%s', (_, change, pods, expected) => {
    expect(statefulSetActions({ ...shape, ...parallel, ...change }, pods)).toEqual(expected)
  })
})

describe('rolling update', () => {
  const five = { replicas: 5, partition: 3 }
  const all = (revisions: readonly string[]) => revisions.map((revision, ordinal) => pod(ordinal, { revision }))
  // biome-ignore format: a table
  test.each<[string, Partial<StatefulShape>, readonly OrdinalPod[], readonly StatefulAction[]]>([
    ['starts at the highest ordinal (case 25)', five, all(['old', 'old', 'old', 'old', 'old']), [remove(4, 'updated')]],
    ['goes on with the next', five, all(['old', 'old', 'old', 'old', 'new']), [remove(3, 'updated')]],
    ['ends at the partition', five, all(['old', 'old', 'old', 'new', 'new']), []],
    ['does nothing OnDelete', { ...five, isOnDelete: true }, all(['old', 'old', 'old', 'old', 'old']), []],
  ])('%s', (_, change, pods, expected) => {
    expect(statefulSetActions({ ...shape, ...change }, pods)).toEqual(expected)
  })

  test('waits for the replaced pod, and a broken pod of the old revision stops it too', () => {
    expect(statefulSetActions({ ...shape, isOrdered: false }, [pod(0, old), pod(1, old), pod(2, broken)])).toEqual([])
    expect(statefulSetActions(shape, [pod(0, { ...old, ...broken }), pod(1, old), pod(2, old)])).toEqual([])
  })
})
