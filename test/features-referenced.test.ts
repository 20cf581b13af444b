// Workers publish only what rules look at: a rule that comes gets its features at once, and no label goes while they are on their way.
import { expect, test } from 'vitest'
import type { Transport } from '#kube/client/transport.ts'
import type { Log } from '#kube/log.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { type ControlledCluster, controlledCluster } from './controlled-cluster.ts'
import { nodeFeatureRules } from './features-cluster.ts'
import { createRule, deleteList, labelsOf, list, moduleRule, referencedCluster, workersOn } from './features-referenced-site.ts'

const { signal } = new AbortController()
const kvm = 'modules.example.com/kvm'
const change = (of: ControlledCluster, name: string, spec: unknown) =>
  of.change(nodeFeatureRules, { name }, { spec: spec as object })
const isTold = (of: ControlledCluster) => of.list('configmaps').some(({ metadata }) => metadata.name === list.name)

async function site() {
  const of = await controlledCluster(referencedCluster([moduleRule('kvm', 'kvm')]))
  const workers = await workersOn(of)
  return {
    of,
    workers,
    /** Waits, and is not content where the label of the first rule is away for a moment. */
    async untilWithout(done: () => boolean, limitMs: number) {
      let wasAway = false
      await of.until(() => {
        wasAway ||= !labelsOf(of, 'n1').includes(kvm)
        return done()
      }, limitMs)
      expect(wasAway).toBe(false)
    },
    async [Symbol.asyncDispose]() {
      await workers[Symbol.asyncDispose]()
      await of[Symbol.asyncDispose]()
    },
  }
}

test('of five hundred modules the one that a rule looks at is published, and what the rule gives is on the node', async () => {
  await using here = await site()
  const { of, workers } = here
  await workers.start('n1')
  await of.until(() => labelsOf(of, 'n1').length > 0 && workers.modulesOf('n1').length === 1, 60_000)
  expect(workers.modulesOf('n1')).toEqual(['kvm'])
  expect(workers.published('n1')?.metadata.annotations?.['ballast.dev/features-for']).toMatch(/^[0-9a-f]{16}$/)
  expect(of.forbidden).toEqual([])
})

test('before anybody told anything everything is published', async () => {
  await using here = await site()
  const { of, workers } = here
  await workers.start('n1')
  await of.clock.runUntil(() => workers.published('n1') !== undefined, { limitMs: 60_000 })
  expect(workers.modulesOf('n1')).toHaveLength(503)
  expect(workers.published('n1')?.metadata.annotations?.['ballast.dev/features-for']).toBeUndefined()
})

test('a rule that comes has its features published within two seconds, and nothing is away meanwhile', async () => {
  await using here = await site()
  const { of, workers } = here
  await workers.start('n1')
  await of.until(() => labelsOf(of, 'n1').length > 0 && workers.modulesOf('n1').length === 1, 60_000)
  const written = of.writes.length
  await createRule(of, moduleRule('nvme', 'nvme'))
  await here.untilWithout(() => workers.modulesOf('n1').includes('nvme'), 2_000)
  await here.untilWithout(() => labelsOf(of, 'n1').length === 2, 3_000)
  // One list, one write to the node: no label came and went.
  expect(of.writes.slice(written).filter(write => /\/nodes\/n1$|configmaps\/ballast-features/.test(write))).toHaveLength(2)
})

test('while a worker is silent its node keeps what it has, though the rule looks at something else now', async () => {
  await using here = await site()
  const { of, workers } = here
  const worker = await workers.start('n1')
  const other = await workers.start('n2')
  await of.until(() => labelsOf(of, 'n1').length > 0 && labelsOf(of, 'n2').length > 0 && isTold(of), 60_000)
  await of.until(() => workers.modulesOf('n1').length === 1, 60_000)
  await worker[Symbol.asyncDispose]()
  // Now it is the module nvme that the label follows; what n1 published says nothing of that.
  await change(of, 'kvm', moduleRule('kvm', 'nvme', { [kvm]: 'second' })['spec'])
  await here.untilWithout(() => workers.modulesOf('n2').join() === 'nvme', 60_000)
  await other[Symbol.asyncDispose]()
  let isOver = false
  of.clock.schedule(300_000, () => {
    isOver = true
  })
  await here.untilWithout(() => isOver, 400_000)
  await workers.start('n1')
  await here.untilWithout(() => workers.modulesOf('n1').join() === 'nvme', 60_000)
  await here.untilWithout(() => nodeLabel(of) === 'second', 60_000)
})

const nodeLabel = (of: ControlledCluster) =>
  of.list('nodes').find(({ metadata }) => metadata.name === 'n1')?.metadata.labels?.[kvm]

test('a rule that goes takes its label from a node whose worker is silent: less is looked at than was published', async () => {
  await using here = await site()
  const { of, workers } = here
  await createRule(of, moduleRule('nvme', 'nvme'))
  const worker = await workers.start('n1')
  await of.until(() => labelsOf(of, 'n1').length === 2 && workers.modulesOf('n1').length === 2, 60_000)
  await worker[Symbol.asyncDispose]()
  await of.admin.resource(nodeFeatureRules).delete('nvme', { signal })
  await of.until(() => labelsOf(of, 'n1').join() === kvm, 10_000)
})

test('who leads next knows the list that was told, and goes on from it', async () => {
  await using here = await site()
  const { of, workers } = here
  await workers.start('n1')
  await of.until(() => labelsOf(of, 'n1').length > 0 && workers.modulesOf('n1').length === 1, 60_000)
  of.killController()
  await createRule(of, moduleRule('nvme', 'nvme'))
  await here.untilWithout(() => labelsOf(of, 'n1').length === 2, 120_000)
  expect(of.started).toBe(2)
})

test('a list that is gone or cannot be read lets everything be published, until it is told again', async () => {
  await using here = await site()
  const { of, workers } = here
  await workers.start('n1')
  await of.until(() => labelsOf(of, 'n1').length > 0 && workers.modulesOf('n1').length === 1, 60_000)
  await deleteList(of)
  await here.untilWithout(() => workers.modulesOf('n1').length === 503, 5_000)
  await here.untilWithout(() => workers.modulesOf('n1').length === 1, 600_000)
  await of.change(builtIn.configmaps, list, { data: { wanted: '{"kernel.loadedmodule":' } })
  await here.untilWithout(() => workers.modulesOf('n1').length === 503, 5_000)
  await here.untilWithout(() => workers.modulesOf('n1').length === 1, 600_000)
})

test('who may not read the list, as by the role of upstream, publishes everything', async () => {
  await using here = await site()
  const { of, workers } = here
  const told: string[] = []
  const log: Log = {
    debug: () => undefined,
    info: () => undefined,
    warn: (_facts, message) => told.push(message),
    error: () => undefined,
  }
  await of.until(() => isTold(of), 60_000)
  await workers.start('n1', { log, between: withoutConfigMaps })
  await of.until(() => labelsOf(of, 'n1').length > 0, 120_000)
  expect(workers.modulesOf('n1')).toHaveLength(503)
})

/** The server refuses every ConfigMap. */
function withoutConfigMaps(inner: Transport): Transport {
  const status = { kind: 'Status', apiVersion: 'v1', status: 'Failure', code: 403, reason: 'Forbidden', message: 'not allowed' }
  const body = new TextEncoder().encode(JSON.stringify(status))
  const headers = { 'content-type': 'application/json' }
  async function* chunks() {
    yield body
  }
  return {
    request: request => inner.request(request),
    stream: async request =>
      request.path.includes('/configmaps') ? { status: 403, headers, chunks: chunks() } : await inner.stream(request),
    close: () => inner.close(),
  }
}
