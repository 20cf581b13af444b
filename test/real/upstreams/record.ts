// Records what Reloader, descheduler and the VPA updater do to the drop-in cluster when nobody holds them, each alone, against a twin
// in real time. `node test/real/upstreams/record.ts [upstream …]` writes test/fixtures/upstream-disruptions.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { type Api, openApi } from '#kube/client/api.ts'
import { systemClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import type { Pod } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import type { MutatingWebhook } from '#kube/server/admission.ts'
import { issueAuthority, issueLeaf } from '#kube/server/certificates.ts'
import { startTwin, type Twin } from '#twin/twin.ts'
import { startWebhookEndpoint } from '../../../src/process/webhooks/webhook-endpoint.ts'
import { dropInCluster, dropInRevision, recommendations } from '../../drop-in-cluster.ts'
import type { RecordedUpstream, UpstreamAct } from '../../upstream-disruptions.ts'
import { type DisruptiveUpstream, upstreamPath, upstreams, upstreamVersion } from './build.ts'

const fixtures = join(import.meta.dirname, '..', '..', 'fixtures', 'upstream-disruptions')
/** Nothing was written by the upstream for so long: its work is done. */
const quietMs = 15_000
const longestMs = 180_000

interface Run {
  readonly twin: Twin
  readonly admin: Api
  readonly kubeconfig: string
  readonly directory: string
}

interface Recipe {
  args(run: Run): readonly string[]
  /** What happens once the upstream is up. */
  drive(run: Run): Promise<void>
  /** Words for the fixture. */
  readonly when: string
}

const user = 'upstream'
const { signal } = new AbortController()

const deschedulerPolicy = {
  apiVersion: 'descheduler/v1alpha2',
  kind: 'DeschedulerPolicy',
  profiles: [
    {
      name: 'hot',
      pluginConfig: [
        { name: 'DefaultEvictor', args: {} },
        {
          name: 'LowNodeUtilization',
          args: { thresholds: { cpu: 15 }, targetThresholds: { cpu: 20 } },
        },
      ],
      plugins: { balance: { enabled: ['LowNodeUtilization'] } },
    },
  ],
}

async function rotate({ admin }: Run, name: string): Promise<void> {
  const body = { data: { password: Buffer.from(`new ${name}`).toString('base64') } }
  await admin.resource(builtIn.secrets).patch(name, { type: 'merge', body }, { namespace: 'shop', signal })
}

const recipes: Readonly<Record<DisruptiveUpstream, Recipe>> = {
  reloader: {
    args: () => [],
    when: 'Secret keys is rotated, 5 s later Secret certs',
    async drive(run) {
      await until(
        () =>
          run.twin.requests.entries.some(
            entry => entry.user === user && /\/secrets$/.test(entry.path) && entry.query.includes('watch'),
          ),
        'no watch of Secrets',
      )
      // What a Reloader that only starts is told is not a change.
      await pause(3_000)
      await rotate(run, 'keys')
      await pause(5_000)
      await rotate(run, 'certs')
    },
  },
  descheduler: {
    args({ kubeconfig, directory }) {
      const policy = join(directory, 'policy.json')
      writeFileSync(policy, JSON.stringify(deschedulerPolicy))
      return [
        `--kubeconfig=${kubeconfig}`,
        `--policy-config-file=${policy}`,
        '--descheduling-interval=1h',
        '--secure-port=0',
        '--disable-metrics',
      ]
    },
    when: 'one cycle of LowNodeUtilization, cpu 15 to 20 %',
    drive: async () => undefined,
  },
  updater: {
    args: ({ kubeconfig }) => [
      `--kubeconfig=${kubeconfig}`,
      '--updater-interval=10s',
      '--use-admission-controller-status=false',
      '--address=127.0.0.1:0',
      '--v=4',
    ],
    when: 'recommendations out of bounds for cache, quiet and idle; a webhook of the recorder sizes new pods',
    drive: async () => undefined,
  },
}

/** Runs an upstream on the drop-in cluster until it has nothing more to do. Throws PartUnavailable where its program cannot be had. */
export async function record(upstream: DisruptiveUpstream): Promise<RecordedUpstream> {
  const program = await upstreamPath(upstream)
  await using stack = new AsyncDisposableStack()
  const nowMs = systemClock.now()
  const twin = stack.use(await startTwin({ clock: systemClock, objects: dropInCluster(nowMs), listen: { port: 0 } }))
  await twin.settle({ limitMs: 60_000 })
  const admin = openApi(twin.transport({ admin: true }), { clock: systemClock, userAgent: 'recorder' })
  stack.defer(() => admin.close())
  await serveAdmission(admin, stack)
  const directory = mkdtempSync(join(tmpdir(), 'ballast-upstream-'))
  stack.defer(() => rmSync(directory, { recursive: true, force: true }))
  const kubeconfig = join(directory, 'kubeconfig')
  writeFileSync(kubeconfig, await twin.kubeconfig({ name: user, groups: ['system:masters'] }), { mode: 0o600 })
  const run = { twin, admin, kubeconfig, directory }
  const recipe = recipes[upstream]
  const args = recipe.args(run)
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { KUBECONFIG: kubeconfig, PATH: '/usr/bin:/bin' },
  })
  stack.defer(() => end(child))
  const tail: string[] = []
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      tail.push(...text.split('\n'))
      tail.splice(0, tail.length - 40)
    })
  const acts = () => actsOf(twin)
  try {
    await recipe.drive(run)
    let last = 0
    let sinceMs = systemClock.elapsed()
    const startedMs = sinceMs
    while (systemClock.elapsed() - sinceMs < quietMs || acts().length === 0) {
      if (systemClock.elapsed() - startedMs > longestMs) throw new Error('nothing was done, or no end of it')
      if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}`)
      if (acts().length !== last) {
        last = acts().length
        sinceMs = systemClock.elapsed()
      }
      await pause(200)
    }
  } catch (cause) {
    throw new Error(`${upstream}: ${tail.join('\n')}`, { cause })
  }
  return {
    upstream,
    version: upstreamVersion(upstream),
    command: [upstream, ...args].join(' ').replaceAll(directory, '.'),
    when: recipe.when,
    server: 'twin of Kubernetes 1.36',
    revision: dropInRevision,
    acts: acts(),
  }
}

/** Stands in for the VPA's admission controller: a new pod of a workload with a VPA gets the size that is recommended. */
async function serveAdmission(admin: Api, stack: AsyncDisposableStack): Promise<void> {
  const nowMs = systemClock.now()
  const authority = await issueAuthority({ commonName: 'recorder', nowMs })
  const tls = await issueLeaf(authority, { commonName: 'webhook', ipAddresses: ['127.0.0.1'], usages: ['server'], nowMs })
  const endpoint = stack.use(
    await startWebhookEndpoint({
      tls,
      bundle: authority.certificate,
      reachedBy: { host: '127.0.0.1' },
      bind: '127.0.0.1',
      port: 0,
      clock: systemClock,
      log: silentLog,
    }),
  )
  const webhook: MutatingWebhook = {
    kind: 'mutating',
    name: 'sizes',
    failurePolicy: 'Fail',
    handle({ object }) {
      const size = recommendations[(object as Pod | undefined)?.metadata.labels?.['app'] ?? '']
      if (size === undefined) return { kind: 'allowed' }
      return {
        kind: 'patched',
        patch: [{ op: 'replace', path: '/spec/containers/0/resources/requests/cpu', value: size.target }],
      }
    },
  }
  stack.use(endpoint.serve(webhook))
  await admin.resource(builtIn.mutatingwebhookconfigurations).create(
    {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'MutatingWebhookConfiguration',
      metadata: { name: 'recorder' },
      webhooks: [
        {
          name: 'sizes.recorder.test',
          clientConfig: endpoint.clientConfig('/mutate/sizes'),
          rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }],
          sideEffects: 'None',
          admissionReviewVersions: ['v1'],
        },
      ],
    },
    { signal },
  )
}

interface TimedAct {
  readonly at: number
  readonly act: Omit<UpstreamAct, 'afterSeconds'>
}

/** Evictions and changes of templates by the upstream, in order, timed from the first. */
function actsOf(twin: Twin): readonly UpstreamAct[] {
  const found = twin.requests.entries.flatMap(({ user: by, verb, path, code, at }): readonly TimedAct[] => {
    if (by !== user) return []
    const pod = /\/namespaces\/shop\/pods\/([^/]+)\/eviction$/.exec(path)?.[1]
    if (pod !== undefined) return [{ at, act: { verb: 'evict', subject: pod, code } }]
    const workload = /\/namespaces\/shop\/(?:deployments|statefulsets)\/([^/]+)$/.exec(path)?.[1]
    const isWrite = verb === 'patch' || verb === 'update' || verb === 'PATCH' || verb === 'PUT'
    return workload !== undefined && isWrite ? [{ at, act: { verb: 'rollout', subject: workload, code } }] : []
  })
  const first = found[0]?.at ?? 0
  return found.map(({ at, act }) => ({ ...act, afterSeconds: Math.round((at - first) / 1000) }))
}

async function until(holds: () => boolean, problem: string): Promise<void> {
  const startedMs = systemClock.elapsed()
  while (!holds()) {
    if (systemClock.elapsed() - startedMs > 60_000) throw new Error(problem)
    await pause(100)
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const { promise, resolve } = Promise.withResolvers<void>()
  child.once('exit', () => resolve())
  child.kill('SIGKILL')
  await promise
}

if (import.meta.main) {
  const wanted = process.argv.slice(2)
  for (const upstream of upstreams) {
    if (wanted.length > 0 && !wanted.includes(upstream)) continue
    const recorded = await record(upstream)
    writeFileSync(join(fixtures, `${upstream}.json`), `${JSON.stringify(recorded, undefined, 2)}\n`)
    console.log(
      `${upstream}: ${recorded.acts.map(({ verb, subject, code, afterSeconds }) => `${afterSeconds} s ${verb} ${subject} ${code}`).join(', ')}`,
    )
  }
}
