// The drop-in descheduler killed before and after each of its writes, with permits in the cluster: the next process evicts what is left, no
// pod is evicted twice, and no permit stays open.
import { afterEach, expect, test } from 'vitest'
import { ballastKinds } from '#coordination/kinds.ts'
import type { Transport, TransportRequest } from '#kube/client/transport.ts'
import { DeschedulerCluster } from './descheduler-cluster.ts'
import { cluster as objectsOf, policyOf, tainted } from './descheduler-objects.ts'
import { node } from './small-cluster.ts'

const open: DeschedulerCluster[] = []
afterEach(async () => {
  for (const cluster of open.splice(0)) await cluster[Symbol.asyncDispose]()
})

const policy = policyOf({ deschedule: { RemovePodsViolatingNodeTaints: {} } })
const definitions = ballastKinds.flatMap(({ definition }) => (definition === undefined ? [] : [definition]))
const pods = 2
/** Counted by the run below that nobody kills. */
const writes = 13

interface Kill {
  readonly write: number
  readonly when: 'before' | 'after'
}

async function start(): Promise<DeschedulerCluster> {
  const cluster = await DeschedulerCluster.start([...objectsOf([tainted('n1'), node('n2')], { n1: pods }), ...definitions])
  open.push(cluster)
  return cluster
}

/** Questions about rights change nothing. */
const isWrite = ({ verb, path }: TransportRequest) => verb !== 'GET' && !path.includes('selfsubjectaccessreviews')

/** Runs one cycle; what it writes is counted, and at `kill` it dies. */
async function runKilled(cluster: DeschedulerCluster, kill?: Kill): Promise<number> {
  let count = 0
  const run = cluster.run({
    policy,
    hasPermits: true,
    between: (transport: Transport) => ({
      request: async request => {
        if (!isWrite(request)) return await transport.request(request)
        const isLast = ++count === kill?.write
        if (isLast && kill.when === 'before') {
          run.kill()
          throw new Error('killed')
        }
        const answer = await transport.request(request)
        if (isLast) run.kill()
        return answer
      },
      stream: request => transport.stream(request),
      close: () => transport.close(),
    }),
  })
  // Time stands still: the Lease is not renewed meanwhile, however slow the machine is.
  await cluster.until(() => run.end !== undefined || (kill !== undefined && count >= kill.write), 0)
  return count
}

function faultsOf(cluster: DeschedulerCluster): readonly string[] {
  const done = cluster.evictions.filter(line => line.startsWith('201')).toSorted()
  const expected = Array.from({ length: pods }, (_, at) => `201 n1-${at}-abcde12345-a`)
  const left = cluster.permits().filter(({ status }) => status?.releasedAt === undefined)
  return [
    ...(JSON.stringify(done) === JSON.stringify(expected) ? [] : [`evicted ${done.join(', ')}`]),
    ...left.map(({ metadata }) => `permit ${metadata.name} is open`),
  ]
}

test(`one cycle that nobody kills has ${writes} writes`, async () => {
  const cluster = await start()
  expect(await runKilled(cluster)).toBe(writes)
  expect(faultsOf(cluster)).toEqual([])
})

const kills = Array.from({ length: writes }, (_, at) => at + 1).flatMap((write): Kill[] => [
  { write, when: 'before' },
  { write, when: 'after' },
])

test.each(kills)('killed $when write $write', async kill => {
  const cluster = await start()
  await runKilled(cluster, kill)
  const next = cluster.run({ policy, hasPermits: true, settings: { deschedulingIntervalMs: 60_000 } })
  // The Lease of the one that was killed runs out first.
  await cluster.until(() => next.log.includes('Number of evictions/requests'), 500)
  await cluster.until(() => faultsOf(cluster).length === 0, 500)
  expect(next.log).not.toContain('kept in memory')
})
