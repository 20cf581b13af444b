// A Job that is deleted to be run again and whose successor is refused: it is kept where no crash loses it, and told, until it is there.
import { expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import type { FaultSpec } from '#twin/faults/fault-spec.ts'
import type { ControlledCluster } from './controlled-cluster.ts'
import { auto, changeConfigMap, configMap, podTemplate, reloadCluster, remembered } from './reload-cluster.ts'

const { signal } = new AbortController()
const minuteMs = 60_000
const settings = configMap('app-config', { key: 'value-1' })
const hash = '8a0e251f3cf965f6b2d11af19178fb20cbc6d403'

function job(bytes = 0): KubeObject {
  const podAnnotations = { 'ballast.dev/twin-run-for': '48h', 'example.com/much': 'x'.repeat(bytes) }
  const template = podTemplate({ name: 'import', configmaps: ['app-config'], podAnnotations })
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'import', namespace: 'shop', annotations: auto },
    spec: { template: { ...template, spec: { ...template.spec, restartPolicy: 'Never' } } },
  }
}

async function running(object: KubeObject, config: object = {}): Promise<ControlledCluster> {
  const cluster = await reloadCluster([settings], { config })
  await cluster.admin.resource(builtIn.jobs).create(object, { signal })
  await cluster.clock.advance(5_000)
  cluster.startController()
  await remembered(cluster)
  return cluster
}

const jobs = (cluster: ControlledCluster) => cluster.list('jobs.batch')
const kept = (cluster: ControlledCluster) =>
  cluster
    .list<KubeObject & { readonly data?: Readonly<Record<string, string>> }>('configmaps')
    .filter(({ metadata }) => metadata.name.startsWith('ballast-reload-job-'))

const noJobs = {
  match: { verbs: ['create'], group: 'batch', resource: 'jobs' },
  status: { code: 403, reason: 'Forbidden', message: 'no Jobs today' },
} satisfies FaultSpec

/** From the moment at which the Job is gone nobody may create one. */
function refuseSuccessors(cluster: ControlledCluster): Disposable {
  const faults = new DisposableStack()
  let isRefused = false
  cluster.meanwhile = write => {
    if (isRefused || !write.startsWith('DELETE') || !write.includes('/jobs/import')) return
    isRefused = true
    faults.use(cluster.twin.fault(noJobs))
  }
  return faults
}

test('it is kept, tried again until it is taken, and told every ten minutes, whoever leads', async () => {
  await using cluster = await running(job())
  const before = jobs(cluster)[0]?.metadata.uid
  const refusal = refuseSuccessors(cluster)
  await changeConfigMap(cluster, 'app-config', { key: 'value-2' })
  await cluster.until(() => jobs(cluster).length === 0)
  await cluster.pass(minuteMs)
  expect(kept(cluster).map(({ metadata }) => metadata.name)).toEqual([expect.stringMatching(/^ballast-reload-job-[0-9a-f]{16}$/)])
  expect(kept(cluster)[0]?.data?.['job.json']).toContain(hash)
  const tries = () => cluster.writes.filter(write => write === 'POST /apis/batch/v1/namespaces/shop/jobs').length
  const [first, told] = [tries(), async () => (await cluster.events()).filter(event => event.includes('no Jobs today'))]
  expect(await told()).toEqual([expect.stringContaining('Warning ReloadFail Job import')])
  await cluster.pass(11 * minuteMs)
  expect(tries()).toBeGreaterThan(first + 30)
  expect(cluster.errors.filter(({ message }) => message === 'reload failed')).toHaveLength(2)
  await cluster.stopController()
  cluster.startController()
  await cluster.pass(5 * minuteMs)
  expect([jobs(cluster), kept(cluster).length]).toEqual([[], 1])
  refusal[Symbol.dispose]()
  await cluster.until(() => jobs(cluster).length > 0)
  await cluster.pass(minuteMs)
  expect(jobs(cluster)).toHaveLength(1)
  expect(jobs(cluster)[0]?.metadata.uid).not.toBe(before)
  expect(JSON.stringify(jobs(cluster))).toContain(hash)
  expect(kept(cluster)).toEqual([])
  expect(cluster.permits().map(({ status }) => status?.ending)).toEqual(['done'])
})

test('what the server would not take leaves the Job alone', async () => {
  await using cluster = await running(job())
  const before = jobs(cluster)[0]?.metadata.uid
  using _fault = cluster.twin.fault(noJobs)
  await changeConfigMap(cluster, 'app-config', { key: 'value-2' })
  await cluster.pass(5 * minuteMs)
  expect(jobs(cluster).map(({ metadata }) => metadata.uid)).toEqual([before])
  expect(kept(cluster)).toEqual([])
  expect(await cluster.events()).toContainEqual(expect.stringContaining('Warning ReloadFail Job import'))
})

test('a large one is kept and comes back whole', async () => {
  await using cluster = await running(job(200_000), { debounce: '0s' })
  const before = jobs(cluster)[0]?.metadata.uid
  await changeConfigMap(cluster, 'app-config', { key: 'value-2' })
  await cluster.pass(minuteMs)
  expect(jobs(cluster).map(({ metadata }) => metadata.uid)).not.toEqual([before])
  expect(kept(cluster)).toEqual([])
})
