// Where the workloads of a package come to rest in a twin with nodes: available, or with the reason why not.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { syntheticCluster } from '#cli/source/synthetic-cluster.ts'
import { absentSentence, openLines } from '#cli/twin/twin-open.ts'
import { systemClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { PacedClock } from '#kube/time/paced-clock.ts'
import { startTwin, type Twin } from '#twin/twin.ts'
import type { RecordedRest, SeenStep } from '../../other-people.ts'
import { kubectlPath } from '../control-plane/debian.ts'
import { type CommandResult, runCommand } from '../run-command.ts'
import { upstreamPath } from '../upstreams/build.ts'
import type { Package } from './packages.ts'
import { type RenderedPackage, releaseName, rendered } from './rendered.ts'

/** Seconds of the cluster in one of the host's: Helm waits by the host's. */
const pace = 30
const longestRestMs = 2 * 3_600_000
const nodes = 3

/** A claim that names no class gets its volume from this one. */
const storageClass: KubeObject = {
  apiVersion: 'storage.k8s.io/v1',
  kind: 'StorageClass',
  metadata: { name: 'standard', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
  provisioner: 'example.test/volumes',
}

/** Installs by Helm with `--wait` and all hooks, or by server-side apply; upgrades; and removes. @throws PartUnavailable */
export async function restOf(one: Package): Promise<RecordedRest> {
  const made = await rendered(one)
  const programs = { kubectl: await kubectlPath('newest'), helm: await upstreamPath('helm') }
  await using stack = new AsyncDisposableStack()
  const home = mkdtempSync(join(tmpdir(), 'ballast-rest-'))
  stack.defer(() => rmSync(home, { recursive: true, force: true, maxRetries: 5 }))
  mkdirSync(join(home, 'helm'))
  const clock = stack.use(new PacedClock(systemClock, { pace }))
  const bugs: string[] = []
  const twin = stack.use(
    await startTwin({
      clock,
      seed: 1,
      objects: [...syntheticCluster({ nodes, pods: 0 }), storageClass],
      listen: { port: 0 },
      kubernetesVersion: '1.36',
      onTrouble: ({ where, error }) => bugs.push(`${where}: ${error instanceof Error ? error.message : error}`),
    }),
  )
  const kubeconfig = join(home, 'kubeconfig')
  writeFileSync(kubeconfig, await twin.kubeconfig(), { mode: 0o600 })
  const env = { KUBECONFIG: kubeconfig, HOME: home, XDG_CACHE_HOME: join(home, 'cache'), HELM_CACHE_HOME: join(home, 'helm') }
  const steps: SeenStep[] = []
  const run = async (client: keyof typeof programs, args: readonly string[]) => {
    const result = await runCommand(programs[client], args, { env, cwd: home, timeoutMs: 180_000 })
    const command = `${client} ${args.join(' ')}`.replaceAll(/\S*\/real\/other-people-[^/ ]*/g, '.')
    steps.push({ command, code: result.code, said: result.code === 0 ? [] : problemLines(result) })
  }
  const { install, remove } = commandsOf(one, made)
  if (one.namespace !== undefined && one.namespace !== 'kube-system') await run('kubectl', ['create', 'namespace', one.namespace])
  for (const [client, ...args] of install) await run(client, args)
  await twin.settle({ limitMs: longestRestMs })
  const { available, waiting } = workloadsOf(twin)
  const absent = absentSentence(twin.dump())
  for (const [client, ...args] of remove) await run(client, args)
  await twin.settle({ limitMs: longestRestMs })
  if (bugs.length > 0) throw new Error(bugs.join('\n'))
  return { available, waiting, ...(absent === undefined ? {} : { absent }), steps, left: workloadsOf(twin).owned }
}

type Command = readonly ['kubectl' | 'helm', ...string[]]

function commandsOf(
  { namespace, form }: Package,
  { chart, manifests }: RenderedPackage,
): { readonly install: readonly Command[]; readonly remove: readonly Command[] } {
  if (chart !== undefined && 'chart' in form && form.definitions === undefined) {
    const place = ['-n', namespace ?? 'default']
    const wait = ['--wait', '--timeout', '40s']
    const what = [releaseName, chart.directory, ...place, ...chart.settings]
    return {
      install: [
        ['helm', 'install', ...what, ...wait],
        ['helm', 'upgrade', ...what, ...wait],
      ],
      remove: [['helm', 'uninstall', releaseName, ...place, ...wait]],
    }
  }
  const place = namespace !== undefined && 'files' in form ? ['-n', namespace] : []
  return {
    install: [['kubectl', 'apply', '--server-side', ...place, '-f', manifests]],
    remove: [['kubectl', 'delete', ...place, '-f', manifests, '--ignore-not-found', '--timeout=60s']],
  }
}

/** The last lines of what went wrong. */
function problemLines({ stdout, stderr }: CommandResult): readonly string[] {
  return `${stdout}${stderr}`
    .trim()
    .split('\n')
    .filter(line => /error|fail|timed out|not /i.test(line))
    .slice(-5)
    .map(line => line.slice(0, 500))
}

interface Counts {
  readonly replicas?: number
  readonly readyReplicas?: number
  readonly availableReplicas?: number
  readonly desiredNumberScheduled?: number
  readonly numberAvailable?: number
  readonly succeeded?: number
}

/** Available workloads, and those that wait, each with its reason. @throws Error for one that waits without any */
function workloadsOf(twin: Twin): { readonly available: number; readonly waiting: readonly string[]; readonly owned: number } {
  const objects = twin.dump()
  const workloads = objects.filter(({ kind, metadata }) => isWorkload(kind) && metadata.namespace !== undefined)
  const reasons = openLines(objects).map(line => line.replaceAll(/-[a-z0-9]{8,10}-[a-z0-9]{5}(?=:)/g, ''))
  const unavailable = workloads.filter(object => !isAvailable(object))
  for (const { kind, metadata } of unavailable)
    if (!reasons.some(line => line.includes(`${metadata.namespace}/${metadata.name}`)))
      throw new Error(
        `${kind} ${metadata.namespace}/${metadata.name} is not available and nothing says why: ${reasons.join('; ')}`,
      )
  return {
    available: workloads.length - unavailable.length,
    waiting: [...new Set(reasons)],
    owned: workloads.filter(isOwned).length,
  }
}

/** What a hook made is no part of a release: Helm leaves it, unless it says otherwise. */
const isOwned = ({ metadata }: KubeObject) => metadata.annotations?.['helm.sh/hook'] === undefined

const isWorkload = (kind: string) => ['Deployment', 'StatefulSet', 'DaemonSet', 'Job'].includes(kind)

function isAvailable({ kind, spec, status }: KubeObject): boolean {
  const counts = (status ?? {}) as Counts
  const wanted = ((spec ?? {}) as { readonly replicas?: number }).replicas ?? 1
  switch (kind) {
    case 'DaemonSet':
      return counts.desiredNumberScheduled === counts.numberAvailable || counts.desiredNumberScheduled === 0
    case 'Job':
      return (counts.succeeded ?? 0) > 0
    default:
      return (counts.availableReplicas ?? 0) === wanted
  }
}
