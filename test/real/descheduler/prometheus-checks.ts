// LowNodeUtilization by a real Prometheus: what both deschedulers make of its answers, side by side on the twin. They run as in a pod: in a
// mount namespace of their own that has a service account.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { node, pod } from '#cluster/testdata/objects.ts'
import { systemClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { issueAuthority } from '#kube/server/certificates.ts'
import { startTwin } from '#twin/twin.ts'
import { PartUnavailable } from '../cache.ts'
import type { Check } from '../check.ts'
import { runCommand } from '../run-command.ts'
import { upstreamPath } from '../upstreams/build.ts'
import { startPrometheus } from './prometheus-server.ts'

/** Two series of one node, one beyond 1, one that is no number. */
const exposition = [
  '# TYPE share gauge',
  ...['share{set="good",instance="n1"} 0.81', 'share{set="good",instance="n2"} 0.29', 'share{set="good",instance="n3"} 0.5'],
  ...['share{set="high",instance="n1"} 0.81', 'share{set="high",instance="n2"} 1.2', 'share{set="high",instance="n3"} 0.5'],
  ...['share{set="few",instance="n1"} 0.81', 'share{set="few",instance="n2"} 0.29'],
  ...['share{set="twice",core="0",instance="n1"} 0.81', 'share{set="twice",core="1",instance="n1"} 0.9'],
  ...['share{set="twice",core="0",instance="n2"} 0.29', 'share{set="twice",core="0",instance="n3"} 0.5'],
  ...['share{set="nan",instance="n1"} 0.81', 'share{set="nan",instance="n2"} NaN', 'share{set="nan",instance="n3"} 0.2'],
  '',
].join('\n')
const seriesCount = exposition.split('\n').filter(line => line.startsWith('share')).length

interface Row {
  readonly name: string
  readonly query: string
  readonly limit?: number
  /** How many pods go; what both say where none may. */
  readonly evicted: number
  readonly says?: string
  /** Upstream takes it for an answer. */
  readonly onlyOurs?: boolean
}

const rows: readonly Row[] = [
  { name: 'shares', query: 'share{set="good"}', evicted: 1 },
  { name: 'shares, three a node', query: 'share{set="good"}', limit: 3, evicted: 3 },
  { name: 'a share above 1', query: 'share{set="high"}', evicted: 0, says: 'outside of <0; 1> interval' },
  { name: 'a node that is missing', query: 'share{set="few"}', evicted: 0, says: 'unable to find metric entry for n3' },
  // Upstream leaves the first node to chance.
  { name: 'nothing', query: 'share{set="none"}', evicted: 0, says: 'unable to find metric entry for n' },
  { name: 'no query', query: 'share{', evicted: 0, says: 'unable to capture prometheus metrics' },
  { name: 'a scalar', query: '0.5', evicted: 0, says: 'expected query results to be of type "vector", got "scalar"' },
  { name: 'a node twice', query: 'share{set="twice"}', evicted: 0, says: 'more than one sample for "n1"', onlyOurs: true },
  { name: 'no number', query: 'share{set="nan"}', evicted: 0, says: 'outside of <0; 1> interval', onlyOurs: true },
]

const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'rs' }
const cluster: readonly KubeObject[] = [
  ...['n1', 'n2', 'n3'].map(name => node(name)),
  ...Array.from({ length: 5 }, (_, at) => pod(`x/n1-${at}`, { cpu: '100m', node: 'n1', owner })),
]

function policyFor({ query, limit }: Row, url: string): string {
  const args = {
    thresholds: { MetricResource: 30 },
    targetThresholds: { MetricResource: 50 },
    ...(limit !== undefined && { evictionLimits: { node: limit } }),
    metricsUtilization: { source: 'Prometheus', prometheus: { query } },
  }
  return JSON.stringify({
    apiVersion: 'descheduler/v1alpha2',
    kind: 'DeschedulerPolicy',
    metricsProviders: [{ source: 'Prometheus', prometheus: { url } }],
    profiles: [
      {
        name: 'p',
        pluginConfig: [{ name: 'LowNodeUtilization', args }],
        plugins: { balance: { enabled: ['LowNodeUtilization'] } },
      },
    ],
  })
}

/** In a mount namespace where /run is empty but for an account; the words of the program follow. */
const asInPod =
  'mount -t tmpfs tmpfs /run && d=/run/secrets/kubernetes.io/serviceaccount && mkdir -p $d && cp "$0" $d/ca.crt && printf token > $d/token && exec "$@"'

/** One cycle. */
async function cycleOf(program: readonly string[], given: { policy: string; authority: string }) {
  await using stack = new AsyncDisposableStack()
  const directory = mkdtempSync(join(tmpdir(), 'ballast-queried-'))
  stack.defer(() => rmSync(directory, { recursive: true, force: true }))
  const twin = stack.use(await startTwin({ clock: systemClock, objects: cluster, components: false, listen: { port: 0 } }))
  const place = (name: string) => join(directory, name)
  writeFileSync(place('policy.json'), given.policy)
  writeFileSync(place('ca.crt'), given.authority)
  writeFileSync(place('kubeconfig'), await twin.kubeconfig({ name: 'descheduler', groups: ['system:masters'] }), { mode: 0o600 })
  const flags = [
    `--policy-config-file=${place('policy.json')}`,
    `--kubeconfig=${place('kubeconfig')}`,
    '--secure-port=0',
    '--v=1',
  ]
  const words = ['--mount', 'sh', '-c', asInPod, place('ca.crt'), ...program, ...flags]
  // Upstream takes itself to be in a pod by these; where the API server is the kubeconfig says.
  const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: '1' }
  const child = spawn('unshare', words, { stdio: ['ignore', 'pipe', 'pipe'], env, timeout: 120_000 })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (said += text))
  const { promise, resolve, reject } = Promise.withResolvers<number | null>()
  child.once('error', reject)
  child.once('close', resolve)
  const code = await promise
  if (code !== 0) throw new Error(`${program[0]}: found ${code}, expected 0; ${said.slice(-2_000)}`)
  const evicted = twin.requests.entries.flatMap(({ path }) => /\/pods\/([^/]+)\/eviction$/.exec(path)?.[1] ?? [])
  return { evicted: evicted.length, said }
}

function problemOf(row: Row, seen: { evicted: number; said: string }): string | undefined {
  if (seen.evicted !== row.evicted) return `found ${seen.evicted} evictions, expected ${row.evicted}; ${seen.said.slice(-2_000)}`
  // Logs quote it, one more than the other.
  const bare = (text: string) => text.replaceAll('\\', '').replaceAll('"', '')
  if (row.says === undefined || bare(seen.said).includes(bare(row.says))) return undefined
  return `said nothing of ${JSON.stringify(row.says)}: ${seen.said.slice(-2_000)}`
}

export const prometheusChecks: readonly Check[] = [
  {
    name: 'descheduler: a real Prometheus, asked as upstream asks it',
    async run() {
      if ((await runCommand('unshare', ['--mount', 'true'])).code !== 0)
        throw new PartUnavailable('a mount namespace: this user may make none')
      const upstream = await upstreamPath('descheduler')
      await using prometheus = await startPrometheus(exposition, seriesCount)
      const { certificate: authority } = await issueAuthority({ commonName: 'cluster', nowMs: systemClock.now() })
      const ours = [process.execPath, join(import.meta.dirname, '..', '..', '..', 'src', 'cli', 'main.ts'), 'descheduler']
      let evictions = 0
      for (const row of rows) {
        const policy = policyFor(row, prometheus.url)
        const seen = await cycleOf(ours, { policy, authority })
        evictions += seen.evicted
        const problem = problemOf(row, seen)
        if (problem !== undefined) throw new Error(`ours, ${row.name}: ${problem}`)
        if (row.onlyOurs === true) continue
        const theirs = problemOf(row, await cycleOf([upstream], { policy, authority }))
        if (theirs !== undefined) throw new Error(`upstream, ${row.name}: ${theirs}`)
      }
      return `${rows.length} answers, ${evictions} evictions, ${rows.filter(({ onlyOurs }) => onlyOurs !== true).length} the same as upstream`
    },
  },
]
