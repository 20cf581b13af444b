import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { LedgerIndex } from './ledger-index.ts'
import { viewOf } from './ledger-view.ts'
import type { PermitRecord } from './permit-record.ts'

const record = fc
  .record({
    name: fc.constantFrom('a', 'b', 'c', 'd'),
    namespace: fc.constantFrom('shop', 'bar'),
    key: fc.constantFrom('k1', 'k2', 'k3'),
    joined: fc.uniqueArray(fc.constantFrom('k1', 'k2', 'k3'), { maxLength: 2 }),
    workload: fc.option(fc.constantFrom('w1', 'w2'), { nil: undefined }),
    atMs: fc.option(fc.integer({ min: 0, max: 5 }), { nil: undefined }),
    isReleased: fc.boolean(),
  })
  .map(
    ({ name, namespace, key, joined, workload, atMs, isReleased }): PermitRecord => ({
      name,
      namespace,
      resourceVersion: '1',
      requester: 'r',
      class: 'balance',
      verb: 'evict',
      purpose: 'move',
      targets: [],
      workload,
      reasons: [],
      idempotencyKey: key,
      batch: undefined,
      change: undefined,
      relocation: undefined,
      nodes: [],
      dropped: [],
      joined: joined.map(idempotencyKey => ({
        requester: 'r',
        class: 'balance',
        verb: 'evict',
        purpose: 'move',
        reasons: [],
        idempotencyKey,
        change: undefined,
        relocation: undefined,
      })),
      deadlineMs: 0,
      siblings: [],
      grant: atMs === undefined ? undefined : { token: 1, atMs, expiresAtMs: atMs + 1 },
      epoch: 0,
      releasedAtMs: isReleased ? 1 : undefined,
      ending: undefined,
      landing: undefined,
      createdMs: 0,
    }),
  )

const step = fc.record({ isGone: fc.boolean(), record })
const sorted = (records: readonly PermitRecord[]) => records.map(one => `${one.namespace}/${one.name}`).toSorted()

test('finds by wish, workload, time and what is out just what a scan of all finds, whatever came and went', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), steps => {
      const index = new LedgerIndex()
      const plain = new Map<string, PermitRecord>()
      for (const { isGone, record: one } of steps) {
        const key = `${one.namespace}/${one.name}`
        if (isGone) {
          index.remove(one)
          plain.delete(key)
        } else {
          index.put(one)
          plain.set(key, one)
        }
      }
      const scan = viewOf([...plain.values()])
      expect(index.all().map(one => `${one.namespace}/${one.name}`)).toEqual(sorted(scan.all()))
      for (const key of ['k1', 'k2', 'k3']) expect(sorted(index.byKey('r', key))).toEqual(sorted(scan.byKey('r', key)))
      for (const workload of ['w1', 'w2']) expect(sorted(index.ofWorkload(workload))).toEqual(sorted(scan.ofWorkload(workload)))
      expect(sorted(index.active())).toEqual(sorted(scan.active()))
      for (const ms of [0, 2, 5, 9]) expect(sorted(index.grantedSince(ms))).toEqual(sorted(scan.grantedSince(ms)))
      const times = index.grantedSince(0).map(one => one.grant?.atMs ?? 0)
      expect(times).toEqual(times.toSorted((a, b) => a - b))
    }),
  )
})
