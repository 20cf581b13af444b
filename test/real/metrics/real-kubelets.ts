// Real kubelets with real containers under load, asked over their own HTTPS port by metrics-server and by ours at the same time, with the same
// flags. n1 signs its certificate itself, as most homelabs have it; n2 asks the cluster for one, which comes when somebody approves it.
import { deepStrictEqual, match, ok } from 'node:assert'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type KubeletCluster, registryFiles, startKubeletCluster } from '../kubelet/cluster.ts'
import { certify, limitMs, referenceOf, toldOf } from '../kubelet/pods.ts'
import { metricOf } from '../mirror/laboratory/agents.ts'
import { SharedSamples } from './samples.ts'
import { MetricsServers, type MetricsServerUnderTest, until } from './servers.ts'

/** Samples that each object must have which is there all the time. */
const leastShared = 3
const namespace = 'load'

/** Uses a processor in parts, for as long as it is let. */
const spins = (turns: number) => `while :; do i=0; while [ $i -lt ${turns} ]; do i=$((i+1)); done; /bin/busybox sleep 0.1; done`
/** Holds so many bytes, and now and then looks at its clock. */
const holds = (bytes: number) =>
  `x=$(/bin/busybox head -c ${bytes} /dev/zero | /bin/busybox tr '\\0' x); while :; do /bin/busybox sleep 1; done; echo "$x"`

interface LoadPod {
  readonly name: string
  /** Whether it is served all the time. */
  readonly isSteady: boolean
  readonly containers: Readonly<Record<string, string>>
  readonly before?: string
  readonly restartPolicy?: 'Always' | 'Never'
}

const loadPods: readonly LoadPod[] = [
  { name: 'busy', isSteady: true, containers: { app: spins(20_000), sidecar: spins(500) }, before: 'exit 0' },
  { name: 'holding', isSteady: true, containers: { app: holds(40_000_000) } },
  { name: 'idle', isSteady: true, containers: { app: 'exec /bin/busybox sleep 1000000' } },
  { name: 'restarting', isSteady: false, containers: { app: `(${spins(5_000)}) & /bin/busybox sleep 25; kill $!; exit 1` } },
  { name: 'done', isSteady: false, containers: { app: 'exit 0' }, restartPolicy: 'Never' },
]

export async function realKubelets(): Promise<string> {
  await using cluster = await startKubeletCluster({
    nodes: 2,
    archives: [],
    taints: [],
    certified: ['n2'],
    containerdFiles: registryFiles,
  })
  try {
    return await measured(cluster)
  } catch (cause) {
    throw new Error(`${cause instanceof Error ? cause.message : String(cause)}\n${await toldOf(cluster)}`, { cause })
  }
}

async function measured(cluster: KubeletCluster): Promise<string> {
  const { plane, place } = cluster
  await startLoad(cluster)
  await using servers = await MetricsServers.open(plane, place)
  const types = ['--kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname']
  const start = async (...flags: readonly string[]) => ({
    upstream: await servers.start('upstream', [...types, ...flags]),
    ours: await servers.start('ours', [...types, ...flags]),
  })
  const trusting = await start('--kubelet-insecure-tls')
  const verifying = await start()
  // What else ours can ask kubelets for, and upstream's rules to the letter.
  const otherwise = await servers.start('ours', [
    ...types,
    '--kubelet-insecure-tls',
    '--kubelet-format=protobuf',
    '--compat=strict',
  ])

  // n2 has no certificate yet: to talk to it is impossible, whoever trusts what. n1 is believed by those that do not look.
  await until(
    () => `failures of TLS: ${verifying.ours.output()}`,
    async () => (await failures(verifying.ours)).get('tls') >= 4 && (await namesOf(trusting.ours, 'nodes')).includes('n1'),
  )
  deepStrictEqual(await namesOf(trusting.ours, 'nodes'), ['n1'])
  for (const server of [verifying.upstream, verifying.ours]) deepStrictEqual(await namesOf(server, 'nodes'), [], server.name)
  for (const server of [trusting.ours, verifying.ours]) deepStrictEqual((await failures(server)).reasons, ['tls'])
  match(lineOf(verifying.ours, 'n1'), /asked as 10\.99\.0\.1/)
  match(lineOf(verifying.ours, 'n1'), /serverTLSBootstrap: true.*--kubelet-preferred-address-types/)
  match(verifying.upstream.output(), /x509|tls:/)

  await certify(cluster, 1)
  await until(
    () => `both nodes: ${trusting.ours.output().slice(-2_000)}`,
    async () =>
      (await Promise.all([trusting.upstream, trusting.ours].map(server => namesOf(server, 'nodes')))).every(
        names => names.length === 2,
      ),
  )
  const all = new SharedSamples(trusting.upstream, trusting.ours)
  const signed = new SharedSamples(verifying.upstream, verifying.ours)
  const binary = new SharedSamples(trusting.upstream, otherwise)
  const refused = await strangers(servers, cluster, types)
  const steady = (nodes: readonly string[]) =>
    nodes.flatMap(node => [
      `/${node}`,
      ...loadPods.filter(({ isSteady }) => isSteady).map(({ name }) => `${namespace}/${name}-${node}`),
    ])
  const lacks = (samples: SharedSamples, nodes: readonly string[]) =>
    steady(nodes).filter(name => (samples.shared.get(name) ?? 0) < leastShared)
  const lackingNow = () => [
    ...lacks(all, ['n1', 'n2']),
    ...lacks(binary, ['n1', 'n2']).map(name => `${name} by protobuf`),
    ...lacks(signed, ['n2']).map(name => `${name} with verification`),
  ]
  await until(
    () => `samples of ${lackingNow()}`,
    async () => {
      await all.look()
      await signed.look()
      await binary.look()
      return lackingNow().length === 0
    },
    limitMs,
  )
  await refused.told()
  for (const samples of [all, signed, binary]) samples.compareApart()
  // Who verifies serves the node that the cluster vouches for, and nothing of the other.
  for (const objects of signed.objects)
    deepStrictEqual(
      [...objects].filter(name => name.endsWith('n1')),
      [],
    )
  deepStrictEqual((await failures(verifying.ours)).reasons, ['tls'])
  const [theirs, ours] = all.objects
  deepStrictEqual(
    [...theirs].filter(name => !ours.has(name)),
    [],
    'upstream serves what ours does not',
  )
  ok(![...theirs, ...ours].some(name => name.includes('/done-')), 'a pod that ended is served')
  const count = (samples: SharedSamples) => [...samples.shared.values()].reduce((sum, one) => sum + one, 0)
  return `two kubelets ${plane.serverVersion}: ${count(all)} samples of ${all.shared.size} objects equal without verification, ${count(binary)} by protobuf, ${count(signed)} of ${signed.shared.size} objects with verification; the self-signed kubelet is told as tls and nothing else, strangers as unauthorized and forbidden`
}

/** Clients whom the kubelets refuse: by a certificate of nobody's authority, and by one without the right to their metrics. */
async function strangers(servers: MetricsServers, { plane }: KubeletCluster, types: readonly string[]) {
  const kinds = [
    ['unauthorized', plane.frontProxy],
    ['forbidden', await plane.issueClient('CN=stranger')],
  ] as const
  const started: { readonly reason: string; readonly server: MetricsServerUnderTest }[] = []
  for (const [reason, { certificate, key }] of kinds) {
    const [certificateFile, keyFile] = ['crt', 'key'].map(end => join(servers.directory, `${reason}.${end}`))
    writeFileSync(certificateFile ?? '', certificate)
    writeFileSync(keyFile ?? '', key)
    const shown = [`--kubelet-client-certificate=${certificateFile}`, `--kubelet-client-key=${keyFile}`]
    started.push({ reason, server: await servers.start('ours', [...types, '--kubelet-insecure-tls', ...shown]) })
  }
  return {
    /** Both kubelets refuse each, in the word that is counted and with what can be done. */
    async told() {
      for (const { reason, server } of started) {
        await until(
          () => `${reason}: ${server.output()}`,
          async () => (await failures(server)).get(reason) >= 4,
        )
        deepStrictEqual((await failures(server)).reasons, [reason])
        match(server.output(), /grant \\?"get\\?" on nodes\/metrics/)
      }
    },
  }
}

export async function startLoad(cluster: KubeletCluster): Promise<void> {
  const { plane, nodes, kubectl } = cluster
  const image = referenceOf(await cluster.pushRunning('acme/load', 'v1', 1_000))
  await plane.client.want('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } })
  await until('the account of pods', async () => {
    const { status } = await plane.client.send('GET', `/api/v1/namespaces/${namespace}/serviceaccounts/default`)
    return status === 200
  })
  for (const { machine } of nodes)
    for (const { name, containers, before, restartPolicy = 'Always' } of loadPods) {
      const container = (named: string, script: string) => ({ name: named, image, command: ['/bin/busybox', 'sh', '-c', script] })
      await plane.client.want('POST', `/api/v1/namespaces/${namespace}/pods`, {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: `${name}-${machine.name}`, labels: { app: name } },
        spec: {
          nodeSelector: { 'kubernetes.io/hostname': machine.name },
          terminationGracePeriodSeconds: 1,
          restartPolicy,
          ...(before === undefined ? {} : { initContainers: [container('before', before)] }),
          containers: Object.entries(containers).map(([named, script]) => container(named, script)),
        },
      })
    }
  const steady = loadPods.filter(({ isSteady }) => isSteady).map(({ name }) => name)
  const flags = [`--timeout=${limitMs / 1_000}s`, '-n', namespace, '-l', `app in (${steady})`]
  const waited = await kubectl('wait', 'pod', '--for=condition=Ready', ...flags)
  if (waited.code !== 0) throw new Error(`pods under load: ${waited.stderr}`)
}

async function namesOf({ ask }: MetricsServerUnderTest, resource: 'nodes' | 'pods'): Promise<readonly string[]> {
  const { status, text } = await ask(`/apis/metrics.k8s.io/v1beta1/${resource}`).catch(() => ({ status: 0, text: '' }))
  if (status !== 200) return []
  return JSON.parse(text).items.map(({ metadata }: { readonly metadata: { readonly name: string } }) => metadata.name)
}

/** Scrapes of ours that failed. */
export async function failures({ ask }: MetricsServerUnderTest) {
  const { text } = await ask('/metrics').catch(() => ({ text: '' }))
  const name = 'ballast_metrics_scrape_errors_total'
  const reasons = Array.from(text.matchAll(new RegExp(`^${name}\\{reason="([^"]+)"\\}`, 'gm')), ([, reason = '']) => reason)
  return { reasons, get: (reason: string) => (reasons.includes(reason) ? metricOf(text, name, { reason }) : 0) }
}

/** What its log first says of a node's kubelet. */
function lineOf({ output }: MetricsServerUnderTest, node: string): string {
  return (
    output()
      .split('\n')
      .find(line => line.includes(`"${node}"`) && line.includes('tls')) ?? output()
  )
}
