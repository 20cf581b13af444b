// What the API server bears of two replicas of `ballast controller`, beside the sum of the upstreams that run here: on one real control
// plane with the example's objects, each client through a port of its own where connections and bytes are counted, requests by the
// server's audit log. A minute in steady state, then while the example's plan is carried out.
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { systemClock } from '#kube/clock.ts'
import { ControllerProcess, tokenKubeconfig } from '../test/controller-process.ts'
import { type CountingFront, openCountingFront, type Passed } from '../test/real/ballast/counting-front.ts'
import { untilEstablished } from '../test/real/ballast/example-cluster.ts'
import { follow, openSite, type Site, token } from '../test/real/ballast/site.ts'
import { PartUnavailable } from '../test/real/cache.ts'
import type { ApiObject } from '../test/real/control-plane/api-client.ts'
import { freePort } from '../test/real/control-plane/free-ports.ts'
import { commandOutput } from '../test/real/run-command.ts'
import { type Upstream, upstreamPath } from '../test/real/upstreams/build.ts'

const seconds = Number(process.argv[2] ?? '60')
/** Until everybody has listed what it watches. */
const warmMs = 20_000
const namespace = 'upstreams'

interface Running {
  readonly name: string
  readonly user: string
  readonly front: CountingFront
  readonly log: () => string
  readonly isRunning: () => boolean
}

interface Counted extends Passed {
  readonly reads: number
  readonly watches: number
  readonly writes: number
  /** Requests for Leases, which are not among the reads and writes: the price of a standby. */
  readonly leases: number
}

const columns = ['open', 'opened', 'reads', 'watches', 'writes', 'leases', 'kB to', 'kB from'] as const

async function main(): Promise<void> {
  await using site = await openSite('1.36')
  await using resources = new AsyncDisposableStack()
  const ours: Running[] = []
  for (const name of ['ballast, leading', 'ballast, standing by']) {
    ours.push(await startOurs(site, resources, name))
    await systemClock.after(3_000)
  }
  const theirs = await startUpstreams(site, resources)
  await systemClock.after(warmMs)
  const all = [...ours, ...theirs]
  print(`steady state, per minute (${seconds} s counted)`, await count(site, all, () => systemClock.after(seconds * 1000)), ours)
  const plan = await count(site, all, async () => {
    await follow(site, async () => {
      for (const { name, isRunning, log } of ours) if (!isRunning()) throw new Error(`${name} ended: ${log()}`)
      return ours.map(({ log }) => log()).join('')
    })
  })
  print(`while the example's plan is carried out, per minute (${Math.round(plan.ms / 1000)} s)`, plan, ours)
  for (const { name, isRunning, log } of all)
    if (!isRunning()) console.log(`${name} ended meanwhile: ${log().split('\n').slice(-4).join(' | ')}`)
}

/** Both of ours have one ServiceAccount, and a user agent each does not tell them apart in the audit log: requests are those of both. */
async function startOurs(site: Site, resources: AsyncDisposableStack, name: string): Promise<Running> {
  const front = resources.use(await openCountingFront(Number(new URL(site.plane.server).port)))
  const admin = readFileSync(site.plane.kubeconfig, 'utf8').replaceAll(site.plane.server, `https://127.0.0.1:${front.port}`)
  const kubeconfig = resources.use(tokenKubeconfig(admin, await token(site.plane)))
  const configuration = join(kubeconfig.file, '..', 'ballast.yaml')
  const enabled = { enabled: true }
  const content = {
    apiVersion: 'ballast.dev/v1alpha1',
    kind: 'BallastConfiguration',
    capabilities: { deschedule: enabled, isolate: enabled },
  }
  writeFileSync(configuration, JSON.stringify(content))
  const controller = new ControllerProcess(kubeconfig.file, 'prefer', ['--config', configuration])
  resources.defer(async () => {
    controller.kill('SIGKILL')
    await controller.ended
  })
  const user = 'system:serviceaccount:ballast-system:ballast-controller'
  return { name, user, front, log: () => controller.log, isRunning: () => controller.isRunning }
}

interface Recipe {
  readonly name: Upstream
  readonly args: (around: { readonly kubeconfig: string; readonly directory: string; readonly port: number }) => readonly string[]
}

const recipes: readonly Recipe[] = [
  {
    name: 'descheduler',
    args({ kubeconfig, directory }) {
      const policy = join(directory, 'policy.json')
      const percent = (value: number) => ({ cpu: value, memory: value, pods: value })
      writeFileSync(
        policy,
        JSON.stringify({
          apiVersion: 'descheduler/v1alpha2',
          kind: 'DeschedulerPolicy',
          profiles: [
            {
              name: 'default',
              pluginConfig: [{ name: 'LowNodeUtilization', args: { thresholds: percent(20), targetThresholds: percent(50) } }],
              plugins: { balance: { enabled: ['LowNodeUtilization'] } },
            },
          ],
        }),
      )
      const files = [`--kubeconfig=${kubeconfig}`, `--policy-config-file=${policy}`]
      return [...files, '--descheduling-interval=2m', '--dry-run', '--secure-port=0', '--disable-metrics']
    },
  },
  { name: 'reloader', args: () => [] },
  { name: 'updater', args: ({ kubeconfig }) => [`--kubeconfig=${kubeconfig}`, '--address=127.0.0.1:0'] },
  { name: 'recommender', args: ({ kubeconfig }) => [`--kubeconfig=${kubeconfig}`, '--address=127.0.0.1:0'] },
  {
    name: 'metrics-server',
    args: ({ kubeconfig, directory, port }) => [
      ...[`--kubeconfig=${kubeconfig}`, `--authentication-kubeconfig=${kubeconfig}`, `--authorization-kubeconfig=${kubeconfig}`],
      ...[`--cert-dir=${directory}`, `--secure-port=${port}`, '--kubelet-insecure-tls', '--metric-resolution=15s'],
    ],
  },
  {
    name: 'kube-state-metrics',
    args: ({ kubeconfig }) => [`--kubeconfig=${kubeconfig}`, '--host=127.0.0.1', '--port=0', '--telemetry-port=0'],
  },
]

async function startUpstreams(site: Site, resources: AsyncDisposableStack): Promise<readonly Running[]> {
  const { client } = site.plane
  await client.want('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } })
  await installVerticalAutoscalers(site)
  const started: Running[] = []
  for (const recipe of recipes) {
    try {
      started.push(await startUpstream(site, resources, { ...recipe, program: await upstreamPath(recipe.name) }))
    } catch (cause) {
      if (!(cause instanceof PartUnavailable)) throw cause
      console.log(`left out: ${cause.message}`)
    }
  }
  return started
}

async function startUpstream(
  { plane }: Site,
  resources: AsyncDisposableStack,
  { name, args, program }: Recipe & { readonly program: string },
): Promise<Running> {
  const front = resources.use(await openCountingFront(Number(new URL(plane.server).port)))
  const directory = mkdtempSync(join(tmpdir(), 'ballast-api-load-'))
  resources.defer(() => rmSync(directory, { recursive: true, force: true }))
  const accounts = `/api/v1/namespaces/${namespace}/serviceaccounts`
  await plane.client.want('POST', accounts, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } })
  await plane.client.want('POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name: `upstream-${name}` },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
    subjects: [{ kind: 'ServiceAccount', name, namespace }],
  })
  const answer = await plane.client.want('POST', `${accounts}/${name}/token`, {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { expirationSeconds: 3600 },
  })
  const { token: bearer = '' } = answer['status'] as { readonly token?: string }
  const admin = readFileSync(plane.kubeconfig, 'utf8').replaceAll(plane.server, `https://127.0.0.1:${front.port}`)
  const kubeconfig = resources.use(tokenKubeconfig(admin, bearer)).file
  const child = spawn(program, args({ kubeconfig, directory, port: await freePort() }), {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { KUBECONFIG: kubeconfig, POD_NAMESPACE: namespace, PATH: '/usr/bin:/bin' },
  })
  const lines: string[] = []
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      lines.push(text)
      lines.splice(0, lines.length - 50)
    })
  resources.defer(() => ended(child))
  const isRunning = () => child.exitCode === null && child.signalCode === null
  return { name, user: `system:serviceaccount:${namespace}:${name}`, front, log: () => lines.join(''), isRunning }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const over = new Promise(resolve => child.once('exit', resolve))
  child.kill('SIGKILL')
  await over
}

/** The updater's and the recommender's kinds, from their own module. */
async function installVerticalAutoscalers({ plane: { client } }: Site): Promise<void> {
  const modules = await commandOutput('go', ['env', 'GOMODCACHE'], {})
  const [file] = globSync(join(modules.trim(), 'k8s.io/autoscaler/vertical-pod-autoscaler@*/deploy/vpa-v1-crd-gen.yaml'))
  if (file === undefined || !existsSync(file)) throw new PartUnavailable("the VPA's kinds are not in the Go module cache")
  for (const document of parseAllDocuments(readFileSync(file, 'utf8'))) {
    const object = document.toJS() as ApiObject | null
    if (object === null) continue
    await client.want('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', object)
    await untilEstablished(client, object.metadata.name)
  }
}

/** Nothing to compare with is no ratio. */
function shown(value: number): string {
  if (Number.isNaN(value)) return '-'
  return value.toFixed(value < 10 && value % 1 !== 0 ? 1 : 0)
}

interface Count {
  readonly ms: number
  readonly rows: readonly { readonly name: string; readonly counted: Counted }[]
}

async function count({ plane }: Site, clients: readonly Running[], work: () => Promise<unknown>): Promise<Count> {
  const before = clients.map(({ front }) => front.passed())
  const from = plane.answered().length
  const startMs = systemClock.elapsed()
  await work()
  const ms = systemClock.elapsed() - startMs
  const after = clients.map(({ front }) => front.passed())
  const requests = plane.answered().slice(from)
  const rows = clients.map(({ name, user }, at) => {
    const [a, b] = [before[at], after[at]]
    if (a === undefined || b === undefined) throw new Error(`${name} was not counted`)
    const isFirst = clients.findIndex(other => other.user === user) === at
    const own = isFirst ? requests.filter(request => request.user === user) : []
    const isOfLease = ({ path, verb }: (typeof own)[number]) => path.includes('/leases') && verb !== 'watch'
    const rest = own.filter(request => !isOfLease(request))
    const by = (verbs: readonly string[]) => rest.filter(({ verb }) => verbs.includes(verb)).length
    const counted = {
      open: b.open,
      connections: b.connections - a.connections,
      sent: b.sent - a.sent,
      received: b.received - a.received,
      reads: by(['get', 'list']),
      watches: by(['watch']),
      writes: by(['create', 'update', 'patch', 'delete', 'deletecollection']),
      leases: own.length - rest.length,
    }
    return { name, counted }
  })
  return { ms, rows }
}

function print(title: string, { ms, rows }: Count, ours: readonly Running[]): void {
  const minute = 60_000 / ms
  const cells = ({ open, connections, reads, watches, writes, leases, sent, received }: Counted) => [
    open,
    connections * minute,
    reads * minute,
    watches * minute,
    writes * minute,
    leases * minute,
    (sent * minute) / 1000,
    (received * minute) / 1000,
  ]
  const line = (name: string, values: readonly number[]) =>
    console.log(`${name.padEnd(24)}${values.map(value => shown(value).padStart(9)).join('')}`)
  const sum = (some: typeof rows) =>
    columns.map((_, at) => some.reduce((total, { counted }) => total + (cells(counted)[at] ?? 0), 0))
  const isOurs = ({ name }: (typeof rows)[number]) => ours.some(one => one.name === name)
  console.log(`\n${title}`)
  console.log(`${''.padEnd(24)}${columns.map(name => name.padStart(9)).join('')}`)
  for (const { name, counted } of rows) line(name, cells(counted))
  const [own, others] = [sum(rows.filter(isOurs)), sum(rows.filter(row => !isOurs(row)))]
  line('ours, two replicas', own)
  line('sum of upstreams', others)
  line(
    'ratio',
    own.map((value, at) => value / (others[at] || Number.NaN)),
  )
}

await main()
