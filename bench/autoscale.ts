// Many ScaledObjects at rest: our `ballast apiserver` and KEDA's operator, each alone on a real kube-apiserver with the same objects and one
// source. What is measured is the two programs' processor time and memory, how long until all is settled, what is written at rest, and whether
// each object is looked at on time. `npm run bench -- autoscale [--objects 2000] [--seconds 120] [--only ours]`
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { Agent, request as ask } from 'undici'
import { systemClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { environment as ofTheImage } from '../scripts/image/build-image.ts'
import { bundle, writeBundle } from '../scripts/image/bundle.ts'
import { PartUnavailable } from '../test/real/cache.ts'
import { freePort } from '../test/real/control-plane/free-ports.ts'
import { KedaSite } from '../test/real/keda/site.ts'
import { type BudgetRow, budgetTable } from './budget-table.ts'
import { quantile } from './twin-client.ts'
import { cpuMsOf } from './twin-process.ts'

const { values } = parseArgs({
  options: {
    objects: { type: 'string', default: '2000' },
    seconds: { type: 'string', default: '120' },
    only: { type: 'string' },
  },
})
const count = Number(values.objects)
const pollingSeconds = 30
/** Until all autoscalers are there; KEDA's client may send 20 requests a second. */
const settleMs = 2_700_000

await using stack = new AsyncDisposableStack()
const directory = mkdtempSync(join(tmpdir(), 'ballast-autoscale-'))
stack.defer(() => rmSync(directory, { recursive: true, force: true }))

const source = spawn(
  process.execPath,
  ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'autoscale-source.ts')],
  { stdio: ['pipe', 'pipe', 'inherit'] },
)
stack.defer(() => void source.kill('SIGKILL'))
const lines = createInterface({ input: source.stdout })[Symbol.asyncIterator]()
const line = async () => String((await lines.next()).value)
const port = Number(await line())

async function heard(): Promise<{ readonly objects: number; readonly gaps: readonly number[] }> {
  source.stdin.write('\n')
  return JSON.parse(await line())
}

/** A third of each: a schedule that is not active, a query, a page. */
function triggerOf(index: number): unknown {
  const name = `web-${index}`
  if (index % 3 === 0)
    return { type: 'cron', metadata: { timezone: 'Etc/UTC', start: '0 0 1 1 *', end: '1 0 1 1 *', desiredReplicas: '2' } }
  if (index % 3 === 1)
    return { type: 'prometheus', metadata: { serverAddress: `http://127.0.0.1:${port}`, query: name, threshold: '5' } }
  const url = `http://127.0.0.1:${port}/${name}`
  return { type: 'metrics-api', metadata: { url, valueLocation: 'waiting', targetValue: '5' } }
}

function objectsOf(index: number): readonly KubeObject[] {
  const name = `web-${index}`
  const labels = { app: name }
  const template = { metadata: { labels }, spec: { containers: [{ name: 'web', image: 'registry.example/web:1' }] } }
  const deployment = { replicas: 0, selector: { matchLabels: labels }, template }
  const scaled = { scaleTargetRef: { name }, pollingInterval: pollingSeconds, triggers: [triggerOf(index)] }
  const metadata = { name, namespace: 'default' }
  return [
    { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec: deployment },
    { apiVersion: 'keda.sh/v1alpha1', kind: 'ScaledObject', metadata, spec: scaled },
  ]
}

const paths: Readonly<Record<string, string>> = {
  Deployment: '/apis/apps/v1/namespaces/default/deployments',
  ScaledObject: '/apis/keda.sh/v1alpha1/namespaces/default/scaledobjects',
}

/** Writes that the API server has answered, of whoever. */
async function writesOf({ plane }: KedaSite): Promise<number> {
  const { body } = await plane.client.send('GET', '/metrics')
  const rows = String(body).matchAll(/^apiserver_request_total\{[^}]*verb="(?:POST|PUT|PATCH|DELETE|APPLY)"[^}]*\} (\S+)$/gm)
  return [...rows].reduce((sum, [, value]) => sum + Number(value), 0)
}

async function settledCount({ plane }: KedaSite): Promise<number> {
  const { items } = Object(await plane.client.want('GET', `${paths['ScaledObject']}?limit=${count}`))
  return (items as readonly KubeObject[]).filter(isReady).length
}

function isReady(item: KubeObject): boolean {
  const conditions: readonly { readonly type: string; readonly status: string }[] = Object(item['status'])['conditions'] ?? []
  return conditions.some(({ type, status }) => type === 'Ready' && status === 'True')
}

/** GETs of external metrics at one time, and in all. */
const atOnce = 50
const asked = 2_000
/** Before what is measured. */
const warmRounds = 9

interface Answers {
  readonly perSecond: number
  /** Processor time of the process for one of them: whoever asks has the same cores. */
  readonly cpuMicros: number
  readonly p99Ms: number
}

/** Values of schedules, which are known without asking a source, straight from the process: as many connections as are asked at one time. */
async function answersOf({ plane: { client } }: KedaSite, { port, pid }: { port: number; pid: number }): Promise<Answers> {
  const subject = { kind: 'ServiceAccount', name: 'autoscaler', namespace: 'default' }
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: subject.name } }
  await client.want('POST', '/api/v1/namespaces/default/serviceaccounts', account)
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' }
  const binding = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRoleBinding', metadata: { name: 'bench' } }
  await client.want('POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
    ...binding,
    roleRef,
    subjects: [subject],
  })
  const request = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 3_600 } }
  const token = await client.want('POST', '/api/v1/namespaces/default/serviceaccounts/autoscaler/token', request)
  const headers = { authorization: `Bearer ${Object(Object(token)['status'])['token']}`, accept: 'application/json' }
  const scaled = await client.want('GET', `${paths['ScaledObject']}?limit=${count}`)
  const urls = (Object(scaled)['items'] as readonly KubeObject[]).flatMap(({ metadata: { name }, status }) => {
    const metric = (Object(status)['externalMetricNames'] as readonly string[] | undefined)?.find(one =>
      one.startsWith('s0-cron-'),
    )
    const selector = encodeURIComponent(`scaledobject.keda.sh/name=${name}`)
    return metric === undefined
      ? []
      : [`/apis/external.metrics.k8s.io/v1beta1/namespaces/default/${metric}?labelSelector=${selector}`]
  })
  await using stack = new AsyncDisposableStack()
  const agent = new Agent({ connect: { rejectUnauthorized: false }, connections: atOnce })
  stack.defer(() => agent.destroy())
  const round = async (): Promise<Answers> => {
    const times: number[] = []
    let next = 0
    const [beganMs, beganCpuMs] = [systemClock.elapsed(), cpuMsOf(pid)]
    const worker = async () => {
      while (next < asked) {
        const sentMs = systemClock.elapsed()
        const answer = await ask(`https://127.0.0.1:${port}${urls[next++ % urls.length]}`, { dispatcher: agent, headers })
        const text = await answer.body.text()
        if (answer.statusCode !== 200) throw new Error(`${answer.statusCode} ${text}`)
        times.push(systemClock.elapsed() - sentMs)
      }
    }
    await Promise.all(Array.from({ length: atOnce }, worker))
    const seconds = (systemClock.elapsed() - beganMs) / 1_000
    return {
      perSecond: asked / seconds,
      cpuMicros: ((cpuMsOf(pid) - beganCpuMs) * 1_000) / asked,
      p99Ms: quantile(
        times.toSorted((a, b) => a - b),
        0.99,
      ),
    }
  }
  // The last: autoscalers ask for as long as they are there.
  for (let unmeasured = 0; unmeasured < warmRounds; unmeasured++) await round()
  return await round()
}

interface Figures {
  readonly settledSeconds: number
  readonly milliCores: number
  readonly mebibytes: number
  readonly writesPerSecond: number
  /** The part of all gaps between two looks of one object that is within 3 s of the interval; and the longest gap. */
  readonly onTime: number
  readonly longestGapSeconds: number
  readonly load: number
  /** Undefined: it answers nobody. */
  readonly answers: Answers | undefined
}

interface Started {
  readonly child: Pick<ChildProcess, 'pid' | 'exitCode'>
  readonly output: () => string
  /** Where it answers external.metrics.k8s.io. */
  readonly port?: number
}

async function measure(start: (site: KedaSite) => Promise<Started>): Promise<Figures> {
  await using site = await KedaSite.start('upstream', { controllerManager: false })
  const all = Array.from({ length: count }, (_none, index) => objectsOf(index)).flat()
  for (let at = 0; at < all.length; at += 32)
    await Promise.all(all.slice(at, at + 32).map(object => site.plane.client.want('POST', paths[object.kind] ?? '', object)))
  const beganMs = systemClock.elapsed()
  const { child, output, port } = await start(site)
  const pid = child.pid ?? 0
  while ((await settledCount(site)) < count) {
    if (child.exitCode !== null) throw new Error(`it ended: ${output().slice(-4_000)}`)
    if (systemClock.elapsed() - beganMs > settleMs) throw new Error(`${await settledCount(site)} of ${count} are settled`)
    await systemClock.after(2_000)
  }
  const settledSeconds = (systemClock.elapsed() - beganMs) / 1_000
  await systemClock.after(pollingSeconds * 2_000)
  await heard()
  const before = { cpuMs: cpuMsOf(pid), ms: systemClock.elapsed(), writes: await writesOf(site) }
  await systemClock.after(Number(values.seconds) * 1_000)
  const seconds = (systemClock.elapsed() - before.ms) / 1_000
  const { gaps } = await heard()
  const resident = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  const load = loadavg()[0] ?? 0
  const writes = await writesOf(site)
  const cpuMs = cpuMsOf(pid)
  const isOnTime = (ms: number) => Math.abs(ms - pollingSeconds * 1_000) <= 3_000
  return {
    settledSeconds,
    milliCores: (cpuMs - before.cpuMs) / seconds,
    mebibytes: Number(resident) / 1_024,
    writesPerSecond: (writes - before.writes) / seconds,
    onTime: gaps.filter(isOnTime).length / Math.max(1, gaps.length),
    longestGapSeconds: Math.max(0, ...gaps) / 1_000,
    load,
    answers: port === undefined ? undefined : await answersOf(site, { port, pid }),
  }
}

const app = join(directory, 'app')
writeBundle(await bundle(join(import.meta.dirname, '..')), app)
const config = join(directory, 'config.yaml')
const section = { addresses: { allow: ['127.0.0.1/32'] } }
writeFileSync(
  config,
  `apiVersion: ballast.dev/v1alpha1\nkind: BallastConfiguration\ncapabilities:\n  autoscale: ${JSON.stringify(section)}\n`,
)

async function startOurs({ plane }: KedaSite): Promise<Started> {
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'ballast-system' } }
  await plane.client.want('POST', '/api/v1/namespaces', namespace)
  const port = await freePort()
  const child = spawn(
    process.execPath,
    [
      ...[join(app, 'ballast.mjs'), 'apiserver', `--config=${config}`, `--kubeconfig=${plane.kubeconfig}`],
      ...['--enable=autoscale', `--api-port=${port}`, '--health-probe-bind-address=127.0.0.1:0'],
    ],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {
        ...ofTheImage,
        NODE_OPTIONS: `--disable-warning=ExperimentalWarning ${ofTheImage.NODE_OPTIONS.replace(/--max-old-space-size\S+/, '--max-old-space-size=300')}`,
      },
    },
  )
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-4_000)
  })
  stack.defer(() => void child.kill('SIGKILL'))
  return { child, output: () => said, port }
}

async function startUpstream(site: KedaSite): Promise<Started> {
  const { child, output } = await site.upstream()
  return { child, output }
}

const figures = new Map<string, Figures>()
for (const [name, start] of Object.entries({ ours: startOurs, KEDA: startUpstream })) {
  if (values.only !== undefined && values.only !== name) continue
  try {
    const found = await measure(start)
    figures.set(name, found)
    process.stdout.write(`  ${name}: ${JSON.stringify(found)}\n`)
  } catch (error) {
    if (!(error instanceof PartUnavailable)) throw error
    process.stdout.write(`  ${name}: ${error.message}\n`)
  }
}

const [ours, upstream] = [figures.get('ours'), figures.get('KEDA')]
const row = (
  what: string,
  unit: string,
  of: (one: Figures) => number,
  budget?: NonNullable<BudgetRow['budget']>,
): readonly BudgetRow[] =>
  ours === undefined
    ? []
    : [
        {
          what,
          unit,
          value: of(ours),
          ...(budget === undefined ? {} : { budget }),
          ...(upstream === undefined ? {} : { other: { name: 'KEDA', value: of(upstream) } }),
        },
      ]
process.stdout.write(
  `${budgetTable([
    ...row(`${count} ScaledObjects: all Ready after`, 's', one => one.settledSeconds),
    ...row('at rest: processor', 'mcores', one => one.milliCores, { atMost: 600 }),
    ...row('at rest: resident', 'MiB', one => one.mebibytes, { atMost: 400 }),
    ...row('at rest: writes', '/s', one => one.writesPerSecond, { atMost: 5 }),
    ...row(`looked at ${pollingSeconds} s ± 3 s after the last time`, '%', one => one.onTime * 100, { atLeast: 100 }),
    ...row('longest time between two looks', 's', one => one.longestGapSeconds),
    ...(ours?.answers === undefined
      ? []
      : [
          { what: `external metrics, ${atOnce} at once`, unit: '/s', value: ours.answers.perSecond, budget: { atLeast: 3_000 } },
          { what: '  processor for one', unit: 'µs', value: ours.answers.cpuMicros },
          { what: '  p99', unit: 'ms', value: ours.answers.p99Ms, budget: { atMost: 40 } },
        ]),
  ])}\n`,
)
