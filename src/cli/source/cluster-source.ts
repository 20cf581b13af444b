// SOURCE of a command: `--cluster PATH` or a live cluster by kubeconfig, as one state, with what was set aside told on standard error.
import type { Command } from 'commander'
import { buildClusterState, type ClusterState } from '#cluster/cluster-state.ts'
import type { SchedulerConfiguration } from '#cluster/simulator-export.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { GroupVersionResource } from '#kube/objects/resource.ts'
import { InputError, type Problem, problemSentence } from '#kube/problem.ts'
import { CommandRefused } from '#process/surroundings.ts'
import type { Surroundings } from '../command-line.ts'
import { kubeconfigOf, readLive } from './live-source.ts'
import { readSourceOrInput } from './source.ts'

export interface SourceOptions {
  readonly cluster?: string
  readonly kubeconfig?: string
  readonly context?: string
}

export interface LoadedCluster {
  readonly objects: readonly KubeObject[]
  readonly state: ClusterState
  /** What was set aside. */
  readonly problems: readonly Problem[]
  /** The API server's or the newest kubelet's version: `v1.34.1`. */
  readonly gitVersion: string
  /** Configuration of the scheduler, where an export of kube-scheduler-simulator has one. */
  readonly configuration?: SchedulerConfiguration
  readonly shown: string
  /** Read from an API server just now, not from a file of some time. */
  readonly isLive: boolean
}

/** Adds the options that say where a cluster comes from. */
export function withSource(command: Command): Command {
  return command
    .option(
      '--cluster <path>',
      'file or folder of objects as kubectl get -o yaml|json writes them, or an export of kube-scheduler-simulator; - for standard input',
    )
    .option(
      '--kubeconfig <file>',
      'a live cluster, which is only read; default without --cluster: KUBECONFIG, then ~/.kube/config',
    )
    .option('--context <name>', 'context of the kubeconfig')
}

/** Reads the cluster, of a live one with the kinds of `also`. @throws InputError with every fatal problem; CommandRefused when no source is named */
export async function loadCluster(
  options: SourceOptions,
  surroundings: Surroundings,
  also: readonly GroupVersionResource[] = [],
): Promise<LoadedCluster> {
  if (options.cluster !== undefined && options.kubeconfig !== undefined)
    throw new CommandRefused('--cluster and --kubeconfig exclude each other')
  const kubeconfig = options.cluster === undefined ? kubeconfigOf(options.kubeconfig, surroundings.environment) : undefined
  if (options.cluster === undefined && kubeconfig === undefined) {
    throw new CommandRefused(
      'no cluster: name one with --cluster PATH or --kubeconfig FILE, for example --cluster examples/talos-homelab',
    )
  }
  if (options.cluster === undefined) {
    const live = await readLive({
      kubeconfig,
      context: options.context,
      environment: surroundings.environment,
      signal: surroundings.signal,
      also,
    })
    return { ...stateOf(live.objects, new Map(), [], surroundings), gitVersion: live.gitVersion, shown: live.shown, isLive: true }
  }
  const read = await readSourceOrInput(options.cluster, process.stdin, surroundings.signal)
  const objects = read.objects.map(({ object }) => object)
  const has = (wanted: string) => objects.some(({ kind }) => kind === wanted)
  if (has('Pod') && !has('Node')) {
    throw new CommandRefused(
      `pods but no Node in ${options.cluster}: kubectl get all leaves them out; read them too, as kubectl get nodes,all -A -o yaml does`,
    )
  }
  const where = new Map(read.objects.map(entry => [entry.object, entry.where]))
  return {
    ...stateOf(objects, where, read.problems, surroundings),
    gitVersion: newestKubelet(objects) ?? 'v1.34.0',
    shown: options.cluster,
    isLive: false,
    ...(read.configuration === undefined ? {} : { configuration: read.configuration }),
  }
}

function stateOf(
  given: readonly KubeObject[],
  where: ReadonlyMap<KubeObject, string>,
  earlier: readonly Problem[],
  { terminal }: Surroundings,
) {
  const { state, objects, problems } = buildClusterState(given, { where: object => where.get(object) })
  const fatal = problems.filter(problem => problem.isFatal)
  if (fatal.length > 0) throw new InputError(fatal)
  const all = [...earlier, ...problems]
  for (const problem of all) terminal.say(`set aside: ${problemSentence(problem)}`)
  return { objects, state, problems: all }
}

/** The version of the newest kubelet in a dump, which carries no server version; `undefined` where no node says. */
export function newestKubelet(objects: readonly KubeObject[]): string | undefined {
  const versions = objects
    .filter(object => object.kind === 'Node')
    .map(
      object =>
        (object['status'] as { readonly nodeInfo?: { readonly kubeletVersion?: string } } | undefined)?.nodeInfo
          ?.kubeletVersion ?? '',
    )
    .filter(version => /^v1\.\d+/.test(version))
  const minor = (version: string) => Number(/^v1\.(\d+)/.exec(version)?.[1] ?? 0)
  return versions.sort((a, b) => minor(b) - minor(a))[0]
}
