// Random histories of changes, label changes, restarts, kills and faults of the server: each workload ends with the hash of what there is, and none rolls out
// without a change.
import { createHash } from 'node:crypto'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { builtIn } from '#kube/objects/resource.ts'
import type { FaultSpec } from '#twin/faults/fault-spec.ts'
import type { ControlledCluster, Kill } from './controlled-cluster.ts'
import { changeConfigMap, configMap, marksOf, reloadCluster, remembered, rolloutsOf, workload } from './reload-cluster.ts'

const sources = ['one', 'two'] as const
const uses = { both: ['one', 'two'], first: ['one'], last: ['two'] } as const
const runs = 12
const settleMs = 30 * 60_000
const sha1 = (text: string) => createHash('sha1').update(text).digest('hex')

type Step =
  | { readonly kind: 'change'; readonly source: (typeof sources)[number]; readonly value: number }
  | { readonly kind: 'label'; readonly source: (typeof sources)[number]; readonly value: number }
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'restart' }
  | { readonly kind: 'fault'; readonly fault: FaultSpec }

const source = fc.constantFrom(...sources)
const value = fc.integer({ min: 0, max: 3 })
/** Requests of the controller alone: what the history changes is to happen. */
const user = 'system:serviceaccount:ballast-system:*'
const count = fc.integer({ min: 1, max: 6 })
const verbs = fc.subarray(['get', 'list', 'create', 'update', 'patch'] as const, { minLength: 1 })
const fault: fc.Arbitrary<FaultSpec> = fc.oneof(
  fc
    .record({ verbs, count, code: fc.constantFrom(409, 429, 500, 503) })
    .map(({ verbs, count, code }) => ({ match: { user, verbs: [...verbs] }, count, status: { code } })),
  fc
    .record({ verbs, count, when: fc.constantFrom('before' as const, 'after' as const) })
    .map(({ verbs, count, when }) => ({ match: { user, verbs: [...verbs] }, count, reset: { when } })),
  fc
    .record({
      count,
      watch: fc.constantFrom({ drop: {} }, { cut: {} }, { expire: {} }, { repeat: {} }, { delay: { p50: '3s' } }),
    })
    .map(({ count, watch }) => ({ match: { user, verbs: ['watch' as const] }, count, watch })),
  fc.constant({ compact: { keepRevisions: 0 } }),
)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('change' as const), source, value }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('label' as const), source, value }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(100, 1_000, 4_000, 40_000) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('fault' as const), fault }) },
)
const kill: fc.Arbitrary<Kill | undefined> = fc.option(
  fc.record({ write: fc.integer({ min: 4, max: 40 }), when: fc.constantFrom('before' as const, 'after' as const) }),
  { nil: undefined },
)

/** When the last roll-out began. */
function newestSetMs(cluster: ControlledCluster, name: string): number {
  const sets = cluster.list('replicasets.apps').filter(({ metadata }) => metadata.labels?.['app'] === name)
  return Math.max(...sets.map(({ metadata }) => Date.parse(metadata.creationTimestamp ?? '')))
}

test('whatever happens, the last content is in each template, once', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 3, maxLength: 14 }),
      kill,
      fc.constantFrom('0s', '2s'),
      async (steps, killed, debounce) => {
        const objects = [
          ...sources.map(name => configMap(name, { key: '0' })),
          ...Object.entries(uses).map(([name, configmaps]) => workload({ name, configmaps })),
        ]
        await using cluster = await reloadCluster(objects, {
          config: { debounce },
          ...(killed === undefined ? {} : { kill: killed }),
        })
        cluster.startController()
        await remembered(cluster, 3)
        const content: Record<string, number> = { one: 0, two: 0 }
        const changes: Record<string, number> = { one: 0, two: 0 }
        const changedMs: Record<string, number> = { one: 0, two: 0 }
        for (const one of steps) {
          if (one.kind === 'change') {
            if (content[one.source] !== one.value) changes[one.source] = (changes[one.source] ?? 0) + 1
            content[one.source] = one.value
            changedMs[one.source] = cluster.clock.now()
            await changeConfigMap(cluster, one.source, { key: String(one.value) })
          } else if (one.kind === 'label') {
            const body = { metadata: { labels: { touched: String(one.value) } } }
            await cluster.change(builtIn.configmaps, { name: one.source, namespace: 'shop' }, body)
          } else if (one.kind === 'pass') await cluster.pass(one.ms)
          else if (one.kind === 'fault') cluster.twin.fault(one.fault)
          else if (killed === undefined) {
            // What is killed while it ends would never be seen to end.
            await cluster.stopController()
            cluster.startController()
          }
        }
        await cluster.pass(settleMs)
        for (const [name, configmaps] of Object.entries(uses)) {
          const template = marksOf(cluster, name)
          // Pods that were all made after the change have read it, whatever they were made for.
          const behind = configmaps.filter(
            one =>
              (template[`STAKATER_${one.toUpperCase()}_CONFIGMAP`] ?? sha1('key=0')) !== sha1(`key=${content[one]}`) &&
              newestSetMs(cluster, name) <= (changedMs[one] ?? 0),
          )
          expect(behind).toEqual([])
          const most = configmaps.reduce((sum, one) => sum + (changes[one] ?? 0), 0)
          expect(rolloutsOf(cluster, name)).toBeLessThanOrEqual(most)
        }
        expect(cluster.permits().filter(({ status }) => status?.releasedAt === undefined)).toEqual([])
        expect(cluster.forbidden).toEqual([])
      },
    ),
    { numRuns: runs, seed: 20261120 },
  )
})
