// The policy behind `ballast isolate NODE`: the one of the cluster that names the node, or one made for it, with what was asked for.
import type { ClusterState } from '#cluster/cluster-state.ts'
import { ballastApiVersion, type RebalancePolicy } from '#coordination/api.ts'
import { isolationProblems, readPolicy } from '#coordination/plans/plan-policy.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { parseLabelSelector } from '#kube/objects/selector.ts'
import { InputError } from '#kube/problem.ts'
import { CommandRefused } from '#process/surroundings.ts'

/** What the command line says of an isolation; what it leaves out is the policy's. */
export interface IsolationWishes {
  readonly keda?: 'waitForZero' | 'evict'
  readonly taintMode?: 'external' | 'kubernetes'
  readonly tolerations?: 'report' | 'apply' | 'webhook'
  readonly exceptions?: readonly string[]
}

export interface ChosenPolicy {
  readonly node: string
  /** As it is to be: enabled, with the wishes in it. */
  readonly policy: RebalancePolicy
  /** The same as its user would write it, without what defaults fill in. */
  readonly written: KubeObject
  /** Fields of `spec.isolation` that are to be changed, or written anew. */
  readonly change: Readonly<Record<string, unknown>>
  /** It is in the cluster already. */
  readonly exists: boolean
}

const controlPlane = 'node-role.kubernetes.io/control-plane'
const hostname = 'kubernetes.io/hostname'

/** @throws CommandRefused where the node is not there, several policies name it, or no label picks it alone; InputError for a policy that is wrong */
export function isolationPolicyFor(
  cluster: { readonly objects: readonly KubeObject[]; readonly state: ClusterState; readonly shown: string },
  choice: { readonly node: string; readonly policy: string | undefined; readonly wishes: IsolationWishes },
): ChosenPolicy {
  const { node, wishes } = choice
  if (!cluster.state.nodes.has(node))
    throw new CommandRefused(
      `no node ${JSON.stringify(node)} in ${cluster.shown}; there are ${[...cluster.state.nodes.keys()].slice(0, 20).join(', ')}`,
    )
  const existing = policyThatNames(cluster, node, choice.policy)
  const change = { enabled: true, ...wishes }
  const written =
    existing === undefined
      ? madePolicy(node, { ...change, nodes: selectorOf(cluster.state, node) })
      : withIsolation(existing, change)
  const read = readPolicy(written)
  if (!read.ok) throw new InputError(read.problems)
  const problems = isolationProblems(read.policy)
  if (problems.length > 0) throw new InputError(problems)
  return { node, policy: read.policy, written, change, exists: existing !== undefined }
}

/** The policies of the cluster whose isolation, enabled or not, picks `node`. */
function policyThatNames(
  { objects, state, shown }: { readonly objects: readonly KubeObject[]; readonly state: ClusterState; readonly shown: string },
  node: string,
  wanted: string | undefined,
): KubeObject | undefined {
  const found: KubeObject[] = []
  for (const object of objects) {
    if (object.kind !== 'RebalancePolicy' || (wanted !== undefined && object.metadata.name !== wanted)) continue
    const read = readPolicy(object)
    if (!read.ok) {
      if (wanted !== undefined) throw new InputError(read.problems)
      continue
    }
    const { isolation } = read.policy.spec
    const selector = isolation === undefined ? undefined : parseLabelSelector(isolation.nodes)
    const picks = selector?.ok === true && selector.value.matches(state.nodes.get(node)?.object.metadata.labels)
    if (picks || wanted !== undefined) found.push(object)
  }
  const [policy, second] = found
  if (second !== undefined)
    throw new CommandRefused(
      `${found.length} RebalancePolicies isolate ${node}: ${found.map(({ metadata }) => metadata.name).join(', ')}; name one with --policy`,
    )
  if (policy === undefined && wanted !== undefined) throw new CommandRefused(`no RebalancePolicy ${wanted} in ${shown}`)
  return policy
}

function withIsolation(policy: KubeObject, change: Readonly<Record<string, unknown>>): KubeObject {
  const spec = fieldsOf(policy['spec'])
  return { ...policy, spec: { ...spec, isolation: { ...fieldsOf(spec['isolation']), ...change } } }
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}

function madePolicy(node: string, isolation: Readonly<Record<string, unknown>>): KubeObject {
  return {
    apiVersion: ballastApiVersion,
    kind: 'RebalancePolicy',
    metadata: { name: `isolate-${node}`.slice(0, 253) },
    spec: { trigger: 'manual', mode: 'Approve', isolation },
  }
}

/** A label selector that picks `node` alone. */
function selectorOf(state: ClusterState, node: string): string {
  const labels = state.nodes.get(node)?.object.metadata.labels ?? {}
  const alone = (key: string) =>
    labels[key] !== undefined &&
    [...state.nodes.values()].filter(({ object }) => object.metadata.labels?.[key] === labels[key]).length === 1
  if (alone(controlPlane)) return controlPlane
  if (alone(hostname)) return `${hostname}=${labels[hostname] ?? ''}`
  throw new CommandRefused(
    `no label picks ${node} alone (${controlPlane} and ${hostname} were tried): write a RebalancePolicy whose spec.isolation.nodes does`,
  )
}
