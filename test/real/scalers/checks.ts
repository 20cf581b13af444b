// Scalers against the servers that they are for: values, names of metrics, and errors.
import { systemClock } from '#kube/clock.ts'
import { cloudWatchCases } from '../../http-scaler-cases.ts'
import { natsCases, prometheusCases, redisCases, type ScalerCase } from '../../scaler-cases.ts'
import { differenceOf } from '../../scaler-reading.ts'
import type { Check } from '../check.ts'
import { startPrometheus } from '../descheduler/prometheus-server.ts'
import { etcdChecks } from './etcd-checks.ts'
import { httpServers, startMoto } from './http-servers.ts'
import { type RealServer, startNats, startRedis, startRedisCluster, startSentinel } from './servers.ts'

export const exposition = ['# TYPE share gauge', 'share{of="one"} 1', 'share{of="two"} 2.5', 'share{of="none"} NaN', ''].join(
  '\n',
)
export const exposedSeries = 3

const { signal } = new AbortController()

export async function held(cases: readonly ScalerCase[], server: Pick<RealServer, 'address' | 'version'>): Promise<string> {
  const differences: string[] = []
  for (const one of cases) {
    const difference = await differenceOf(one, server.address, signal)
    if (difference !== undefined) differences.push(difference)
  }
  if (differences.length > 0) throw new Error(differences.join('\n'))
  return `${cases.length} of ${server.version}`
}

/** What works on one server works there too; a cluster of this test has no password. */
const elsewhere = (suffix: 'cluster' | 'sentinel', cases: readonly ScalerCase[]): readonly ScalerCase[] =>
  cases
    .filter(({ expected }) => !(expected instanceof RegExp && /NOAUTH|WRONGPASS/.test(expected.source)))
    .map(one => ({
      ...one,
      type: one.type === 'redis' ? `redis-${suffix}` : `redis-${suffix}-streams`,
      auth: suffix === 'cluster' ? {} : (one.auth ?? {}),
      metadata: address => ({ ...one.metadata(address), ...(suffix === 'sentinel' ? { sentinelMaster: 'main' } : {}) }),
    }))

export const scalerChecks: readonly Check[] = [
  {
    name: 'scalers read a Redis',
    async run() {
      await using server = await startRedis()
      return await held(redisCases, server)
    },
  },
  {
    name: 'scalers read a cluster of Redis, whichever node is asked',
    async run() {
      await using server = await startRedisCluster()
      const cases = elsewhere('cluster', redisCases)
      const all = server.ports.map(port => `127.0.0.1:${port}`)
      for (const address of [...all, `127.0.0.1:1,${all[1]}`]) await held(cases, { ...server, address })
      return await held(cases, server)
    },
  },
  {
    name: 'scalers read a Redis by its sentinel',
    async run() {
      await using server = await startRedis()
      await using sentinel = await startSentinel(server)
      return await held(elsewhere('sentinel', redisCases), sentinel)
    },
  },
  {
    name: 'scalers read a Prometheus',
    async run() {
      await using server = await startPrometheus(exposition, exposedSeries)
      // Queries name whole seconds: what was first scraped within this one is not there yet.
      await systemClock.after(2_000)
      return await held(prometheusCases, { address: new URL(server.url).host, version: "Debian's" })
    },
  },
  {
    name: 'scalers read NATS JetStream',
    async run() {
      await using server = await startNats()
      return await held(natsCases, server)
    },
  },
  ...Object.entries(httpServers).map(([name, { start, cases }]) => ({
    name: `scalers read by HTTP: ${name}`,
    async run() {
      await using server = await start()
      return await held(cases, server)
    },
  })),
  ...etcdChecks,
  {
    name: 'scalers read a CloudWatch',
    async run() {
      await using server = await startMoto()
      return await held(cloudWatchCases, server)
    },
  },
]
