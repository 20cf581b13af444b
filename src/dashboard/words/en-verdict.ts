// What only the verdict of the overview says: who plans and when, what stands out, and what was done.
import type { Sentence } from '../contract.ts'
import { age } from './age.ts'
import { capital, counted, listed } from './grammar.ts'
import { nodePath, planPath } from './links.ts'
import { count } from './quantity.ts'
import { say } from './sentence.ts'

export function planning(): Sentence {
  return say('planning', 'Planning…')
}

/** Goals are missed, and a plan is made by a schedule. `when`: `at 04:00 (Europe/Berlin), in 5h12m`. */
export function plansAt({ policy, when }: { readonly policy: string; readonly when: string }): Sentence {
  return say('plans-at', `The next plan is made ${when}.`, { policy, when })
}

/** Goals are missed, and nothing makes a plan by itself. */
export function plansWhenAsked({ policy }: { readonly policy: string }): Sentence {
  return say('plans-when-asked', `Policy ${policy} is planned only when somebody asks: Replan.`, { policy })
}

/** Goals are missed, and the capability that plans is off. */
export function nobodyPlans(): Sentence {
  return say('nobody-plans', 'Nobody plans here: the capability deschedule is off (capabilities.deschedule.enabled).')
}

/** Said of a moment in the past, for which only the books are kept. */
export function nodesNotKept(): Sentence {
  return say('nodes-not-kept', 'What the nodes were asked for at that time is not kept; plans and permits are.')
}

/** Said of a moment in the past. */
export function nodeNotKept({ node }: { readonly node: string }): Sentence {
  return say('node-not-kept', `What ${node} carried at that time is not kept; plans and permits are.`, { node })
}

/** Said of a moment in the past. */
export function sleepersNotKept(): Sentence {
  return say('scale-to-zero-not-kept', 'Which workloads slept then is not kept.')
}

/** Said of a moment in the past. */
export function notKeptWords(node: string): string {
  return `what ${node} carried then is not kept`
}

/** A policy that cannot be planned; `why`: what is wrong with it. */
export function policyInvalid({ policy, why }: { readonly policy: string; readonly why: string }): string {
  return `policy ${policy} cannot be planned (${why})`
}

/** Where a plan does not say what stands in the way. */
export const noChoiceReaches = 'no choice of moves reaches it'

/** There was a plan and it does not reach the goal. */
export function noPlanReaches({ goals, plan }: { readonly goals: number; readonly plan: string }): Sentence {
  const text = `No plan reaches ${goals === 1 ? 'it' : 'them'}: see why.`
  return say('no-plan-reaches', text, { goals, plan }, [{ text: 'see why', path: planPath(plan) }])
}

/** A node that is nearly full, where no goal says so. */
export function hotNode({ node, percent }: { readonly node: string; readonly percent: number }): Sentence {
  return say('hot-node', `${node} has ${Math.trunc(percent)}% of its CPU requested.`, { node, percent }, [
    { text: node, path: nodePath(node) },
  ])
}

export function idleNode({ node, percent }: { readonly node: string; readonly percent: number }): Sentence {
  const text = `${node} is almost idle: ${Math.trunc(percent)}% of its CPU is requested.`
  return say('idle-node', text, { node, percent }, [{ text: node, path: nodePath(node) }])
}

/** After the findings that were told. */
export function moreFindings({ hot, idle }: { readonly hot: number; readonly idle: number }): Sentence {
  const parts = [
    ...(hot === 0 ? [] : [`${counted(hot, 'more node is', 'more nodes are')} nearly full`]),
    ...(idle === 0
      ? []
      : [`${counted(idle, hot === 0 ? 'more node is' : 'node is', hot === 0 ? 'more nodes are' : 'nodes are')} almost idle`]),
  ]
  return say('more-findings', `${capital(parts.join(', '))}.`, { hot, idle })
}

/** A goal over several nodes, in the words of the planner. */
export function wideGoalWords({ text }: { readonly text: string }): Sentence {
  return say('wide-goal', text)
}

/** `even is missed: 3 nodes … 80.0 points; 2 goals more.` */
export function wideMissed({
  goal,
  because,
  more,
}: {
  readonly goal: string
  readonly because: string
  readonly more: number
}): Sentence {
  const others = more === 0 ? '' : `; ${counted(more, 'goal')} more`
  return say('wide-missed', `${goal} is missed: ${because}${others}.`, { goal, more })
}

export function allMet({ goals }: { readonly goals: number }): Sentence {
  const text = goals === 1 ? 'The goal is met.' : `All ${count(goals)} goals are met.`
  return say('all-met', text, { goals })
}

/** Said of the plan that ended within a day. */
export function movesMade(facts: {
  readonly moves: number
  /** A moment. */
  readonly time: string
  readonly pods: number
  /** The longest that a pod was away; undefined where nothing measured it. */
  readonly seconds: number | undefined
}): Sentence {
  const { moves, time, pods, seconds } = facts
  const longest = seconds === undefined ? '' : `, none for longer than ${count(seconds)} s`
  const text = `${counted(moves, 'move was', 'moves were')} made at ${time}; ${counted(pods, 'pod was', 'pods were')} disrupted${longest}.`
  return say('moves-made', text, { moves, time, pods, ...(seconds === undefined ? {} : { seconds }) })
}

/** A part of ours that failed by itself; `time` is a moment. */
export function partQuarantined({ part, time }: { readonly part: string; readonly time: string }): Sentence {
  return say('part-quarantined', `${part} does nothing because of a bug of its own; it is tried again at ${time}.`, {
    part,
    time,
  })
}

/** A kind that was never read. */
export function kindUnread({ kind, why }: { readonly kind: string; readonly why: string }): string {
  return `No ${kind} could be read yet: ${why}`
}

/** A kind whose watch is broken. */
export function kindSilent({
  kind,
  forMs,
  why,
}: {
  readonly kind: string
  readonly forMs: number
  readonly why: string
}): string {
  return `Nothing new was heard of ${kind} for ${age(forMs)}: ${why}`
}

/** Nobody leads; said of the controller's Lease. */
export function nobodyHolds({ lease, namespace }: { readonly lease: string; readonly namespace: string }): string {
  return `No controller leads here: nobody renews the Lease ${lease} in ${namespace}`
}

/** Said where the viewer's account may list pods in some namespaces only. */
export function onlyNamespacesShown({ namespaces }: { readonly namespaces: readonly string[] }): string {
  const [what, are] = namespaces.length === 1 ? ['the namespace', 'is'] : ['the namespaces', 'are']
  return `Only ${what} ${listed(namespaces)} ${are} shown: your account may not list pods in all namespaces`
}

/** Said of what only a controller does. */
export function nobodyLeads({ because }: { readonly because: string }): Sentence {
  return say('nobody-leads', `${because}. Nothing is planned and nothing goes on.`, { because })
}

/** `because`: why nothing is known of it, a sentence with or without its end. */
export function notKnown({ what, because }: { readonly what: string; readonly because: string }): Sentence {
  return say('not-known', `The ${what} are not known. ${because.replace(/\.$/, '')}.`, { what, because })
}

/** Neither goals nor anything that stands out. */
export function quiet({ nodes }: { readonly nodes: number }): Sentence {
  return say('quiet', `Nothing stands out on ${counted(nodes, 'node')}.`, { nodes })
}

export function noNodes(): Sentence {
  return say('no-nodes', 'The cluster has no nodes.')
}
