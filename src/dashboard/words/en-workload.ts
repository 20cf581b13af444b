// What is said of one workload: one function a message.
import type { Sentence } from '../contract.ts'
import { age, ago, until } from './age.ts'
import { capital, counted } from './grammar.ts'
import { nodePath, permitsPath, planPath, workloadPath } from './links.ts'
import { moment, momentToMinute } from './moments.ts'
import { count } from './quantity.ts'
import { say } from './sentence.ts'

/** `No workload media/sonar. Did you mean media/sonarr?` */
export function workloadNotThere(facts: {
  readonly shown: string
  readonly nearest:
    | { readonly text: string; readonly kind: string; readonly namespace: string | null; readonly name: string }
    | undefined
}): Sentence {
  const { shown, nearest } = facts
  const hint = nearest === undefined ? '' : ` Did you mean ${nearest.text}?`
  const links = nearest === undefined ? [] : [{ text: nearest.text, path: workloadPath(nearest) }]
  return say(
    'workload-not-there',
    `No workload ${shown}.${hint}`,
    { shown, ...(nearest === undefined ? {} : { nearest: nearest.text }) },
    links,
  )
}

export function workloadNotSeen({ namespace }: { readonly namespace: string }): Sentence {
  return say('workload-not-seen', `You may not see what runs in namespace ${namespace}.`, { namespace })
}

export function deleted({ agoMs }: { readonly agoMs: number }): Sentence {
  return say('workload-deleted', `Deleted ${ago(agoMs)}.`, { agoMs })
}

/** Nothing says when it went. */
export function gone({ agoMs }: { readonly agoMs: number | undefined }): Sentence {
  const last = agoMs === undefined ? '' : ` The last that is known of it is from ${ago(agoMs)}.`
  return say('workload-gone', `It is gone.${last}`, agoMs === undefined ? {} : { agoMs })
}

/** `Moved once within a day, from talos00 to talos03, for goal cp-light.` Of several the last is told. */
export function wasMoved(facts: {
  readonly times: number
  readonly from: string
  readonly to: string
  readonly goals: readonly string[]
}): Sentence {
  const { times, from, to, goals } = facts
  const often = times === 1 ? 'once' : times === 2 ? 'twice' : `${count(times)} times`
  const last = times === 1 ? '' : 'last '
  const aim = goals.length === 0 ? '' : `, for ${goals.length === 1 ? 'goal' : 'goals'} ${goals.join(', ')}`
  const text = `Moved ${often} within a day, ${last}from ${from} to ${to}${aim}.`
  return say('workload-moved', text, { times, from, to, goals: goals.join(',') }, [{ text: to, path: nodePath(to) }])
}

export function underWay({
  verb,
  who,
  forMs,
}: {
  readonly verb: string
  readonly who: string
  readonly forMs: number
}): Sentence {
  return say('workload-acting', `${capital(verb)} by ${who} is under way for ${age(forMs)}.`, { verb, who, forMs })
}

export function movePlanned(facts: {
  readonly moves: number
  readonly from: string
  readonly to: string
  readonly plan: string
}): Sentence {
  const { moves, from, to, plan } = facts
  const what = moves === 1 ? `A move from ${from} to ${to} is` : `${count(moves)} moves are`
  return say('workload-planned', `${what} planned (${plan}).`, { ...facts }, [{ text: plan, path: planPath(plan) }])
}

export function nothingPlanned(): Sentence {
  return say('workload-not-planned', 'Nothing is planned for it now.')
}

/** `Cannot move: its volume is pinned to talos01 (VolumePinned).` */
export function cannotMove({ why, rule }: { readonly why: string; readonly rule: string }): Sentence {
  return say('workload-cannot-move', `Cannot move: ${why} (${rule}).`, { rule }, [{ text: rule, path: permitsPath({ rule }) }])
}

export function volumePinned({ node }: { readonly node: string }): string {
  return `its volume is pinned to ${node}`
}

export function notAllReady({ ready, wanted }: { readonly ready: number; readonly wanted: number }): Sentence {
  return say('workload-not-ready', `${count(ready)} of ${counted(wanted, 'pod is', 'pods are')} ready.`, { ready, wanted })
}

export function asleep(): Sentence {
  return say('workload-asleep', 'It has 0 replicas: nothing runs.')
}

export function atThatTime(): Sentence {
  return say('workload-past', 'What it was then is not kept; what happened to it is told below.')
}

/** What the arbiter would say now. */
export function allowed(): Sentence {
  return say('would-be-allowed', 'allowed')
}

/** A mode that only notes lets it pass. */
export function allowedThough({ rule }: { readonly rule: string }): Sentence {
  return say('would-be-noted', `allowed, would be refused: ${rule}`, { rule })
}

/** `CoolDown until 20:20 (in 5h50m)` on the reader's clock. */
export function refusedUntil(facts: { readonly rule: string; readonly untilMs: number; readonly nowMs: number }): Sentence {
  const { rule, untilMs, nowMs } = facts
  const text = `${rule} until ${momentToMinute(untilMs)} (${until(untilMs - nowMs)})`
  return say('would-be-refused-until', text, { rule, untilMs, until: moment(untilMs) }, [
    { text: rule, path: permitsPath({ rule }) },
  ])
}

/** `KedaManaged: owned by KEDA (ScaledObject sonarr)`. */
export function refusedBecause({ rule, why }: { readonly rule: string; readonly why: string }): Sentence {
  return say('would-be-refused', `${rule}: ${why}`, { rule }, [{ text: rule, path: permitsPath({ rule }) }])
}

/** Origin of an owner. */
export const ownerOrigins = {
  label: (kind: string) => `label on the ${kind}`,
  pods: 'label on its pods',
  namespace: 'label on the Namespace',
  nowhere: 'no label',
  /** Shown for a moment in the past. */
  past: 'not kept',
} as const

export const noOwner = 'nobody'

/** The scheduler's words, short where they say that a node is full: `full (memory)`. */
export function refusalOfNode(reasons: readonly string[]): string {
  const full = reasons.flatMap(reason => /^Insufficient (\S+)$/.exec(reason)?.[1] ?? (reason === 'Too many pods' ? 'pods' : []))
  const others = reasons.filter(reason => !/^Insufficient \S+$/.test(reason) && reason !== 'Too many pods')
  return [...(full.length === 0 ? [] : [`full (${full.join(', ')})`]), ...others].join('; ')
}

/** What a page says where no other node takes a pod. */
export const nowhereElse = 'nowhere else'

/** A line of what happened. */
export function happened({ what, how }: { readonly what: string; readonly how: string }): Sentence {
  return say('happened', how === '' ? what : `${what}: ${how}`)
}

/** `moved cart-x2k9p talos00 → talos03, 21s`. */
export function movedPod(facts: {
  readonly pod: string
  readonly from: string
  readonly to: string
  readonly seconds: number
}): Sentence {
  const { pod, from, to, seconds } = facts
  return say('happened-moved', `moved ${pod} ${from} → ${to}, ${age(seconds * 1_000)}`, { ...facts })
}
