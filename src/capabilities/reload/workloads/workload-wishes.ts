// What a workload's own annotations say about when and how it is reloaded: debounce, window, keys, CronJobs, eviction, pause, Rollouts.

import type { Parsed } from '#kube/problem.ts'
import { parseDurationMs } from '#kube/time/duration.ts'
import { parseWindow, type Window } from '#kube/time/window.ts'
import { type AnnotationProblem, type Annotations, annotationOf, fixedAnnotationKeys as fixed } from '../annotations.ts'
import type { ReloadSettings } from '../settings.ts'

export interface WorkloadWishes {
  /** How long a change waits for further ones, in milliseconds. */
  readonly debounceMs: number
  /** Reloads only inside of it; `undefined`: at any time. */
  readonly window: Window | undefined
  /** `used`: only keys that the template uses count. */
  readonly keys: 'all' | 'used'
  readonly cronJob: 'trigger' | 'patch' | 'ignore'
  readonly reloadBy: 'template' | 'evict' | undefined
  /** How a Rollout is reloaded. */
  readonly rollout: 'rollout' | 'restart'
  /** How long a Deployment is paused after its first change, in milliseconds; `undefined`: not at all. */
  readonly pauseMs: number | undefined
  readonly problems: readonly AnnotationProblem[]
}

const longestMs = 366 * 86_400_000

/** What `annotations` say; what cannot be followed is told and stands at its default. */
export function wishesOf(annotations: Annotations, settings: Pick<ReloadSettings, 'debounceMs' | 'keys'>): WorkloadWishes {
  const problems: AnnotationProblem[] = []
  const told = <T>(key: string, read: (text: string) => Parsed<T>): T | undefined => {
    const value = annotationOf(annotations, key)
    if (value === undefined) return undefined
    const parsed = read(value)
    if (parsed.ok) return parsed.value
    problems.push({ key, value, why: `expected ${parsed.problem.expected}` })
    return undefined
  }
  const debounceMs = told(fixed.debounce, span)
  const window = told(fixed.window, text => parseWindow(text))
  const keys = told(fixed.keys, oneOf({ auto: 'used', all: 'all' }))
  const cronJob = told(fixed.cronJob, oneOf({ trigger: 'trigger', patch: 'patch', ignore: 'ignore' }))
  const reloadBy = told(fixed.reloadBy, oneOf({ template: 'template', eviction: 'evict' }))
  const pauseMs = told(settings.keys.pausePeriod, text => parseDurationMs(text))
  return {
    debounceMs: debounceMs ?? settings.debounceMs,
    window,
    keys: keys ?? 'all',
    cronJob: cronJob ?? 'trigger',
    reloadBy,
    // As upstream: any other text is `rollout`.
    rollout: annotationOf(annotations, fixed.rolloutStrategy) === 'restart' ? 'restart' : 'rollout',
    pauseMs,
    problems,
  }
}

function span(text: string): Parsed<number> {
  const parsed = parseDurationMs(text)
  if (!parsed.ok || (parsed.value >= 0 && parsed.value <= longestMs)) return parsed
  return refused(text, 'a duration from 0s to 8784h')
}

/** What each text means. */
function oneOf<const T extends string>(choices: Readonly<Record<string, T>>): (text: string) => Parsed<T> {
  return text => {
    const found = Object.hasOwn(choices, text) ? choices[text] : undefined
    return found === undefined ? refused(text, `one of ${Object.keys(choices).join(', ')}`) : { ok: true, value: found }
  }
}

function refused(found: string, expected: string): Parsed<never> {
  return { ok: false, problem: { code: 'wrong-value', where: 'annotation', found, expected } }
}
