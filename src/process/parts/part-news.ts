// What people are told of a process as events: of its parts on its Lease, of its configuration on the ConfigMap that holds it.
import { quarantineReason, quarantineWords } from '#coordination/account/quarantined-parts.ts'
import type { EventRecorder } from '#kube/events/events.ts'
import type { Reload } from '../configuration/controller-settings.ts'
import { faultWindowMs } from './part-supervision.ts'

export type PartNews =
  | { readonly kind: 'faulted'; readonly why: string; readonly delayMs: number }
  | { readonly kind: 'interrupted'; readonly why: string; readonly delayMs: number }
  | { readonly kind: 'quarantined'; readonly why: string; readonly faults: number; readonly untilMs: number }
  | { readonly kind: 'configuration-refused'; readonly why: string }

const words = {
  faulted: { reason: 'PartFaulted', action: 'Restart' },
  interrupted: { reason: 'PartInterrupted', action: 'Restart' },
  quarantined: { reason: quarantineReason, action: 'Quarantine' },
  'configuration-refused': { reason: 'ConfigurationRefused', action: 'Configure' },
} as const

/** A Warning on what stands for the process: which part, what became of it, why. */
export function tellPartNews(
  of: { readonly part: string; readonly capability: string; readonly news: PartNews },
  to: {
    readonly events: EventRecorder
    /** Its Lease, or its pod where it has none. */
    readonly regarding: { readonly apiVersion: string; readonly kind: string; readonly namespace: string; readonly name: string }
  },
): void {
  to.events.emit({
    type: 'Warning',
    ...words[of.news.kind],
    regarding: to.regarding,
    note: `${of.part} ${sentence(of.news)}`,
    controller: `ballast.dev/${of.capability}`,
  })
}

function sentence(news: PartNews): string {
  switch (news.kind) {
    case 'faulted':
      return `was stopped by a fault and starts again in ${news.delayMs / 1000} s: ${news.why}`
    case 'interrupted':
      return `was interrupted from outside and starts again in ${news.delayMs / 1000} s: ${news.why}`
    case 'quarantined':
      return `${quarantineWords({ untilMs: news.untilMs, why: `${manyFaults(news.faults)}: ${news.why}` })}. A changed configuration of it, a new leader or a restart of the process tries it before`
    case 'configuration-refused':
      return `refuses its changed configuration and goes on with the last good one: ${news.why}`
  }
}

function manyFaults(faults: number): string {
  return faults === 1 ? 'a fault in its trial' : `${faults} faults in ${faultWindowMs / 60_000} minutes, the last`
}

const configMap = { apiVersion: 'v1', kind: 'ConfigMap', name: 'ballast-config' }

/** What became of a changed configuration; nothing where all of it holds. */
export function tellReload(reload: Reload, to: { readonly events: EventRecorder; readonly namespace: string }): void {
  const regarding = { ...configMap, namespace: to.namespace }
  if (reload.kind === 'refused') {
    const [first = '', ...others] = reload.problems
    const more = others.length === 0 ? '' : ` (and ${others.length} more)`
    const note = `the old configuration holds: ${first}${more}`
    to.events.emit({ type: 'Warning', reason: 'ConfigurationRefused', action: 'Configure', regarding, note })
  } else if (reload.needRestart.length > 0) {
    const note = `changed, but only another process takes it: ${reload.needRestart.join(', ')}`
    to.events.emit({ type: 'Normal', reason: 'ConfigurationNeedsRestart', action: 'Configure', regarding, note })
  }
}
