// Which pods a plan leaves where they are: one row a reason, with the workloads and the way out.
import { remedyOf } from '#coordination/account/plan-entries.ts'
import type { RebalancePlan } from '#coordination/api.ts'
import type { PlanView, Ref, Sentence, Unmovable } from '../../contract.ts'
import type { Picture } from '../../picture.ts'
import * as words from '../../words/en-plan.ts'
import { counted } from '../../words/grammar.ts'

/** A plan keeps so many reasons. */
const fullList = 1_000

type Stayed = NonNullable<NonNullable<RebalancePlan['status']>['unmovable']>[number]

/** The rows with most pods first; pods that may move and need not are one row too. `of`: all pods that the plan looked at. */
export function unmovableOf(picture: Picture, plan: RebalancePlan): Pick<PlanView, 'unmovable' | 'stays'> {
  const listed = plan.status?.unmovable ?? []
  const of = podsBefore(plan) ?? listed.length + plan.spec.moves.length
  const stays = { pods: Math.max(0, of - plan.spec.moves.length), of }
  // A volume's name belongs to the reason: only the code is what they have in common.
  const rows = [...Map.groupBy(listed, ({ reason }) => codeOf(reason))].map(([reason, pods]) => rowOf(picture, reason, pods))
  const free = freeRow(picture, plan, { listed, stays: stays.pods })
  const all = free === undefined ? rows : [...rows, free]
  return { unmovable: all.toSorted((a, b) => b.count - a.count || (a.reason < b.reason ? -1 : 1)), stays }
}

function codeOf(reason: string): string {
  return reason.split(':')[0] ?? reason
}

function rowOf(picture: Picture, reason: string, pods: readonly Stayed[]): Unmovable {
  const messages = new Set(pods.map(({ message }) => message ?? ''))
  // What some of them have to add to it is told on their own pages.
  const [message = ''] = [...messages].toSorted((a, b) => a.length - b.length)
  const others = pods.filter(one => !(one.message ?? '').startsWith(message)).length
  const shown = pods.find(one => (one.message ?? '') === message)
  const remedy = shown && remedyOf({ ...shown, reason: messages.size === 1 ? shown.reason : reason }, picture.ownerLabel)
  return {
    reason,
    count: pods.length,
    workloads: uniqueRefs(pods.map(({ workload }) => refOf(workload))),
    because: words.staysBecause({
      reason,
      message: others === 0 ? message : `${message}; likewise ${counted(others, 'other pod')}`,
    }),
    remedy: remedy === undefined ? null : words.wayOut(remedy),
  }
}

/** Pods that nothing holds and that the goals do not need elsewhere; which, is said while the cluster is as the plan saw it. */
function freeRow(
  { state }: Picture,
  { spec }: RebalancePlan,
  { listed, stays }: { readonly listed: readonly Stayed[]; readonly stays: number },
): Unmovable | undefined {
  const count = stays - listed.length
  // A full list does not say how many it left out.
  if (count <= 0 || listed.length >= fullList) return undefined
  const told = new Set([...listed.map(({ pod }) => pod), ...spec.moves.map(({ pod }) => `${pod.namespace}/${pod.name}`)])
  const free = Array.from(state.pods.values()).filter(
    pod => pod.nodeName !== undefined && !pod.isFinished && pod.workload !== undefined && !told.has(pod.key),
  )
  const workloads = free.length !== count ? [] : uniqueRefs(free.flatMap(({ workload }) => workload ?? []))
  const because: Sentence = words.notNeeded({ pods: count })
  return { reason: 'NotNeeded', count, workloads, because, remedy: null }
}

/** How many pods stood on nodes when the plan was made. */
function podsBefore({ status }: RebalancePlan): number | undefined {
  const shares = (status?.before ?? []).filter(({ resource }) => resource === 'pods')
  return shares.length === 0 ? undefined : shares.reduce((sum, { requested }) => sum + Number(requested), 0)
}

/** Reads `Deployment shop/cart`. */
function refOf(text: string): Ref {
  const [kind = '', key = ''] = text.split(' ')
  const [namespace = '', name = ''] = key.split('/')
  return { kind, namespace, name }
}

function uniqueRefs(refs: readonly Ref[]): readonly Ref[] {
  const unique = new Map(refs.map(({ kind, namespace, name }) => [`${kind} ${namespace}/${name}`, { kind, namespace, name }]))
  return [...unique.values()]
}
