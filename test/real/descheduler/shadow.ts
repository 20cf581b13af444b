// The shadow beside the real descheduler on a real control plane: by its Events while it evicts, and by its log while it runs dry. Both
// decide alike, so whatever the shadow calls a difference is a defect, ours or the shadow's.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { startBallast } from '#test/cli/running-ballast.ts'
import { messyCluster } from '../../../src/capabilities/deschedule/compat/strategies/testdata/messy-cluster.ts'
import type { Check } from '../check.ts'
import { type ApiClient, apiPath } from '../control-plane/api-client.ts'
import { startControlPlane } from '../control-plane/start.ts'
import { upstreamPath } from '../upstreams/build.ts'

const interval = '20s'
const seed = 11

/** Nothing that hangs on ages, which are those of the real server, or on which of two nodes upstream looks at first. */
const strategies = {
  deschedule: {
    RemovePodsHavingTooManyRestarts: { podRestartThreshold: 20, includingInitContainers: true },
    RemovePodsViolatingNodeTaints: {},
    RemovePodsViolatingNodeAffinity: { nodeAffinityType: ['requiredDuringSchedulingIgnoredDuringExecution'] },
    RemoveFailedPods: { minPodLifetimeSeconds: 1 },
  },
  balance: { RemoveDuplicates: {} },
}

const policy = JSON.stringify({
  apiVersion: 'descheduler/v1alpha2',
  kind: 'DeschedulerPolicy',
  profiles: [
    {
      name: 'side',
      pluginConfig: [
        { name: 'DefaultEvictor', args: {} },
        ...Object.entries({ ...strategies.deschedule, ...strategies.balance }).map(([name, args]) => ({ name, args })),
      ],
      plugins: {
        deschedule: { enabled: Object.keys(strategies.deschedule) },
        balance: { enabled: Object.keys(strategies.balance) },
      },
    },
  ],
})

export const shadowChecks: readonly Check[] = [
  { name: 'the shadow agrees with the real descheduler, by its Events', run: () => shadowed({ isDryRun: false }) },
  { name: 'the shadow agrees with the real descheduler, by the log of a dry run', run: () => shadowed({ isDryRun: true }) },
]

async function shadowed({ isDryRun }: { readonly isDryRun: boolean }): Promise<string> {
  const program = await upstreamPath('descheduler')
  const plane = await startControlPlane({ scheduler: 'off', controllerManager: false })
  await using stack = new AsyncDisposableStack()
  stack.defer(() => plane.stop())
  const directory = mkdtempSync(join(tmpdir(), 'ballast-shadow-'))
  stack.defer(() => rmSync(directory, { recursive: true, force: true }))
  const policyFile = join(directory, 'policy.json')
  writeFileSync(policyFile, policy)
  for (const object of messyCluster(seed, systemClock.now())) await create(plane.client, object)
  const source = ['--kubeconfig', plane.kubeconfig, '--policy-config-file', policyFile]
  const shadow = stack.use(
    startBallast([
      'shadow',
      ...source,
      ...['--descheduling-interval', interval, '--cycles', '2', '-o', 'json'],
      ...(isDryRun ? ['--upstream-log', '-'] : []),
    ]),
  )
  await shadow.said(/looking at \d+ nodes/)
  const upstream = spawn(
    program,
    [
      `--policy-config-file=${policyFile}`,
      `--kubeconfig=${plane.kubeconfig}`,
      `--descheduling-interval=${interval}`,
      ...['--secure-port=0', '--disable-metrics', '--v=4'],
      ...(isDryRun ? ['--dry-run'] : []),
    ],
    { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: '/usr/bin:/bin' } },
  )
  stack.defer(() => stopped(upstream))
  for (const stream of [upstream.stdout, upstream.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      if (isDryRun) shadow.type(text)
    })
  await shadow.said(/^}$/m)
  return verdictOf(shadow.output, isDryRun)
}

/** What the shadow found. Throws where it found a difference, or nothing at all. */
function verdictOf(output: string, isDryRun: boolean): string {
  const { cycles, summary } = JSON.parse(output)
  const { agreed, alike, drift, ...only } = summary.pods
  // The first cycle of a dry run is upstream's alone: what it sees then is drift.
  if (only['ours-only'] + only['theirs-only'] + (isDryRun ? 0 : drift) > 0 || agreed === 0)
    throw new Error(`not the same: ${JSON.stringify(cycles)}`)
  return `${agreed} evictions by both and ${alike / 2} of likes in ${summary.cycles} cycles: ${Object.keys(summary.strategies).join(', ')}`
}

/** As it is, with its status; priorities are the server's to give. */
async function create(client: ApiClient, object: KubeObject): Promise<void> {
  const { metadata, status, ...rest } = object
  const { uid: _, creationTimestamp: _since, ...named } = metadata
  const { priority: _priority, ...spec } = Object(object['spec'] ?? {})
  const { apiVersion, kind } = object
  const path = (name?: string) => apiPath({ apiVersion, kind }, metadata.namespace ?? '', name)
  await client.want('POST', path(), {
    ...rest,
    metadata: { ...named, ...ownersOf(object) },
    ...(rest['spec'] === undefined ? {} : { spec }),
  })
  if (status !== undefined) await client.want('PATCH', `${path(metadata.name)}/status`, { status })
  // The server taints each new node until somebody says that it is ready.
  if (kind === 'Node') await client.want('PATCH', path(metadata.name), { spec: { taints: spec.taints ?? null } })
}

function ownersOf({ metadata: { ownerReferences } }: KubeObject): object {
  return ownerReferences === undefined ? {} : { ownerReferences }
}

async function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const { promise, resolve } = Promise.withResolvers<void>()
  child.once('exit', () => resolve())
  child.kill('SIGTERM')
  await promise
}

if (import.meta.main) for (const { name, run } of shadowChecks) console.log(`${name}: ${await run()}`)
