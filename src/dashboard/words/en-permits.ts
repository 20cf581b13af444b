// What is said of permits: one function a message.
import type { Decision, Permit, Sentence } from '../contract.ts'
import { age } from './age.ts'
import { counted } from './grammar.ts'
import { permitsPath } from './links.ts'
import { count } from './quantity.ts'
import { say } from './sentence.ts'

/** Decisions as one word for people. */
export const decisionWords: Readonly<Record<Decision, string>> = {
  granted: 'granted',
  queued: 'waiting',
  denied: 'denied',
  'no-op': 'nothing to do',
  coalesced: 'merged',
  observed: 'observed',
  dropped: 'dropped',
}

/** The sign of each: told apart without colour. */
export const decisionSigns: Readonly<Record<Decision, '●' | '◔' | '✕' | '⋈' | '○' | '–'>> = {
  granted: '●',
  queued: '◔',
  denied: '✕',
  'no-op': '–',
  coalesced: '⋈',
  observed: '○',
  dropped: '–',
}

/** `KedaManaged: owned by KEDA (ScaledObject sonarr)`. */
export function refusedBy({ rule, why }: { readonly rule: string | null; readonly why: string }): Sentence {
  const text = rule === null ? why : why === '' ? rule : `${rule}: ${why}`
  return say('refused', text, rule === null ? {} : { rule }, rule === null ? [] : [{ text: rule, path: permitsPath({ rule }) }])
}

/** Who scales it: an object of KEDA's, or what its label says. */
export function ownedByKeda({ by }: { readonly by: string }): string {
  return `owned by KEDA (${by})`
}

/** The way out of what KEDA owns. */
export const movesAtZero = 'nothing to do: it moves when it is next at zero'

/** Why it was wanted, in the words of who asked. */
export function wanted(reasons: readonly string[]): Sentence {
  return say('wanted', reasons.length === 0 ? 'no reason was given' : reasons.join('; '), { reasons: reasons.length })
}

/** `1 restart for 3 reasons: new Secret web-db, move to talos03, size 500m → 380m`. */
export function together({ verb, reasons }: { readonly verb: string; readonly reasons: readonly string[] }): Sentence {
  const text = `1 ${verb} for ${counted(reasons.length, 'reason')}: ${reasons.join(', ')}`
  return say('together', text, { verb, reasons: reasons.length })
}

export function moveTo(node: string): string {
  return `move to ${node}`
}

/** What others did without asking. */
export function didNotAsk(text: string): Sentence {
  return say('observed', text)
}

export function remedy(text: string): Sentence {
  return say('way-out', text)
}

/** What the server refused of something that went along. */
export function wasDropped({ message, reasons }: { readonly message: string; readonly reasons: readonly string[] }): Sentence {
  return say('dropped', [...reasons, `the server refused its change: ${message}`].join('; '), {})
}

interface EndFacts {
  readonly ending: 'done' | 'failed' | 'withdrawn' | 'expired' | 'yielded' | 'released'
  readonly seconds: number
  /** The node on which the replacement landed. */
  readonly node: string | undefined
  readonly elsewhere: boolean
  readonly reason: string
}

/** `on talos03 in 21s`, `failed after 30s: no replacement got a node`. */
export function outcomeText({ ending, seconds, node, elsewhere, reason }: EndFacts): string {
  const lasted = age(seconds * 1_000)
  if (ending === 'done' && node !== undefined) return `${elsewhere ? 'elsewhere: ' : ''}on ${node} in ${lasted}`
  const word = ending === 'expired' ? 'ran out' : ending === 'yielded' ? 'gave way' : ending
  const why = reason === '' || ending === 'done' ? '' : `: ${reason}`
  return ending === 'done' ? `done in ${lasted}` : `${word} after ${lasted}${why}`
}

/** The ledger could not be read; `because`: a sentence with or without its end. */
export function permitsNotKnown({ because }: { readonly because: string }): Sentence {
  return say('permits-not-known', `Permits are not known. ${because.replace(/\.$/, '')}.`, { because })
}

type SumFacts = Readonly<Partial<Record<Decision, number>>>

/** `41 asked: 15 granted, 9 waiting, 16 denied, 1 merged. Most often denied by KedaManaged (7).` */
export function permitSums(
  sums: SumFacts,
  { rule, times, filtered }: { readonly rule: string | undefined; readonly times: number; readonly filtered: boolean },
): Sentence {
  const parts = (['granted', 'queued', 'denied', 'no-op', 'coalesced', 'dropped'] as const).flatMap(decision => {
    const amount = sums[decision] ?? 0
    return amount === 0 ? [] : [{ amount, text: `${count(amount)} ${decisionWords[decision]}` }]
  })
  const asked = parts.reduce((sum, { amount }) => sum + amount, 0)
  const observed = sums.observed ?? 0
  if (asked + observed === 0)
    return filtered
      ? say('permits-none-match', 'No permit matches these filters.')
      : say('permits-none', 'No permits yet. They appear when something asks to disrupt a pod.')
  const sentences = [
    ...(asked === 0 ? ['Nothing was asked.'] : [`${count(asked)} asked: ${parts.map(({ text }) => text).join(', ')}.`]),
    ...(rule === undefined ? [] : [`Most often denied by ${rule} (${count(times)}).`]),
    ...(observed === 0 ? [] : [`${counted(observed, 'disruption')} by others, without asking.`]),
  ]
  return say('permit-sums', sentences.join(' '), { asked, ...sums, ...(rule === undefined ? {} : { rule, times }) })
}

/** `denied · deschedule wants to evict media/sonarr · KedaManaged: owned by KEDA (ScaledObject sonarr)`, with the way out behind it. */
export function permitText(
  permit: Pick<Permit, 'decision' | 'capability' | 'verb' | 'target' | 'because' | 'remedy' | 'wouldBe'>,
): string {
  const { decision, capability, verb, target, because, remedy: out, wouldBe } = permit
  const place = `${target.namespace === null ? `${target.kind} ` : `${target.namespace}/`}${target.name}`
  const asked = decision === 'observed' ? `${capability}: ${verb} ${place}` : `${capability} wants to ${verb} ${place}`
  const word = wouldBe === null ? decisionWords[decision] : `${decisionWords[decision]}, would be refused: ${wouldBe.rule}`
  return [word, asked, because.text, ...(out === null ? [] : [out.text])].join(' · ')
}
