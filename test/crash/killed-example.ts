// The whole example with its controller killed once, before or after one of its writes, and judged when another one has ended the run.
import { join } from 'node:path'
import type { DisruptionPermit } from '#coordination/api.ts'
import type { Node, Pod } from '#kube/objects.ts'
import { readSource } from '../../src/cli/source.ts'
import { type ControlledCluster, controlledCluster, type Kill } from '../controlled-cluster.ts'

export const exampleObjects = readSource(join(import.meta.dirname, '..', '..', 'examples', 'talos-homelab')).objects.map(
  ({ object }) => object,
)

/** What is wrong after a run of the example: a move repeated or forgotten, something left behind. Empty when all is well. */
export function faults(cluster: Pick<ControlledCluster, 'twin' | 'list' | 'plans' | 'forbidden'>): readonly string[] {
  const check = (is: boolean, fault: string) => (is ? [] : [fault])
  const evicted = cluster.twin.requests.entries
    .filter(({ path, code }) => path.endsWith('/eviction') && code === 201)
    .map(({ path }) => path)
  const rollouts =
    cluster.list('replicasets.apps').filter(set => set.metadata.labels?.['app.kubernetes.io/name'] === 'kometa').length - 1
  const pods = cluster.list<Pod>('pods')
  const unready = pods.filter(
    pod => !pod.status?.conditions?.some(condition => condition.type === 'Ready' && condition.status === 'True'),
  )
  const on = (node: string) => pods.filter(pod => pod.spec.nodeName === node).length
  const plans = cluster.plans()
  const landed = plans.flatMap(plan => plan.status?.steps ?? []).filter(step => step.state === 'Landed').length
  return [
    ...check(
      new Set(evicted).size === evicted.length && evicted.length === 14,
      `${evicted.length} evictions of ${new Set(evicted).size} pods`,
    ),
    ...check(rollouts === 1, `kometa was rolled out ${rollouts} times`),
    ...check(landed === 15, `${landed} moves landed`),
    ...check(
      pods.length === 124 && unready.length === 0,
      `${pods.length} pods, not ready: ${unready.map(pod => pod.metadata.name).join(', ')}`,
    ),
    ...check(on('talos00') === 45 && on('talos03') === 24, `${on('talos00')} pods on talos00, ${on('talos03')} on talos03`),
    ...check(
      plans.at(-1)?.status?.conditions?.find(({ type }) => type === 'GoalsMet')?.status === 'True',
      `plans: ${plans.map(plan => `${plan.metadata.name} ${plan.status?.phase} ${plan.status?.message}`).join('; ')}`,
    ),
    ...cluster
      .list<Node>('nodes')
      .flatMap(node => (node.spec?.taints ?? []).map(taint => `taint ${taint.key} on ${node.metadata.name}`)),
    ...pods.flatMap(pod => (pod.spec.schedulingGates ?? []).map(gate => `gate ${gate.name} on ${pod.metadata.name}`)),
    ...cluster
      .list<DisruptionPermit>('disruptionpermits.ballast.dev')
      .flatMap(permit => check(permit.status?.releasedAt !== undefined, `permit ${permit.metadata.name} is out`)),
    ...cluster.forbidden.map(request => `403: ${request}`),
  ]
}

export interface Outcome {
  readonly faults: readonly string[]
  readonly writes: number
  readonly started: number
}

/** Runs the example to its end, killed where `kill` says. */
export async function runExample(kill?: Kill): Promise<Outcome> {
  await using cluster = await controlledCluster({ objects: exampleObjects, ...(kill === undefined ? {} : { kill }) })
  cluster.startController()
  await cluster.rebalance('talos')
  // What comes after is the Lease being renewed.
  const writes = cluster.writes.length
  await cluster.clock.advance(30_000)
  return { faults: faults(cluster), writes, started: cluster.started }
}

/** Kills at every write in turn, `when` each is about to be sent or has been. @returns what went wrong, a line a run */
export async function killAtEach(when: Kill['when']): Promise<{ readonly runs: number; readonly wrong: readonly string[] }> {
  const { writes, faults: faultsAlone } = await runExample()
  if (faultsAlone.length > 0) throw new Error(`without a kill: ${faultsAlone.join('; ')}`)
  console.log(`the example makes ${writes} writes; ${writes} runs killed ${when} each`)
  const wrong: string[] = []
  for (let write = 1; write <= writes; write++) {
    try {
      const outcome = await runExample({ write, when })
      if (outcome.started !== 2) wrong.push(`${when} write ${write}: ${outcome.started} controllers were started`)
      if (outcome.faults.length > 0) wrong.push(`${when} write ${write}: ${outcome.faults.join('; ')}`)
    } catch (error) {
      wrong.push(`${when} write ${write}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  return { runs: writes, wrong }
}
